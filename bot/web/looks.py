"""One look at the database for all who ask at a time: whoever asks in a flood costs no more than one does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedLook(Generic[T]):
    """Each caller gets what a look found that began after the call did; it may be another caller's.

    Args:
        look: called by one thread at a time.
    """

    def __init__(self, look: Callable[[], T]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._last: tuple[float, T] | None = None

    def __call__(self) -> T:
        asked = time.monotonic()
        with self._lock:
            if self._last is None or self._last[0] <= asked:
                began = time.monotonic()
                self._last = (began, self._look())
            return self._last[1]
