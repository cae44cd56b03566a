"""Many who ask at a time share a look, and nobody gets one from before they asked."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.web.looks import SharedLook
from tests.conftest import wait_until

pytestmark = pytest.mark.unit


class Slow:
    """A look that takes until it is let go."""

    def __init__(self) -> None:
        self.looks = 0
        self.go = threading.Event()

    def __call__(self) -> int:
        self.looks += 1
        self.go.wait(20)
        return self.looks


def test_a_flood_costs_a_look_or_two() -> None:
    slow = Slow()
    shared = SharedLook(slow)
    with ThreadPoolExecutor(30) as pool:
        first = pool.submit(shared)
        wait_until(lambda: slow.looks == 1, 20, "the first look")
        others = [pool.submit(shared) for _ in range(29)]
        wait_until(lambda: all(other.running() for other in others), 20, "the others")
        slow.go.set()
        assert first.result() == 1
        assert 1 not in {other.result() for other in others}
    assert slow.looks <= 4  # a thread may have been told to ask and not have asked yet


def test_who_asks_later_is_told_anew() -> None:
    slow = Slow()
    slow.go.set()
    shared = SharedLook(slow)
    assert [shared(), shared(), shared()] == [1, 2, 3]


def test_a_look_that_fails_fails_only_who_asked() -> None:
    answers = iter([ZeroDivisionError("once"), 7])

    def look() -> int:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    shared = SharedLook(look)
    with pytest.raises(ZeroDivisionError):
        shared()
    assert shared() == 7
