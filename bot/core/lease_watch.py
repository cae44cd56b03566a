"""Which rights to work have run out, judged without the time of day.

A clock that jumps, or differs from another machine's, must neither take work from a worker that is at it
nor leave a dead one's work for hours. So whoever looks measures by a steady clock of its own how long a right
has stood unchanged: one that was watched for its whole span is over, as its holder is stopped before that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from bot.core.events import utc_now

Held = TypeVar("Held", bound=Hashable)


def steady(clock: Callable[[], datetime]) -> Callable[[], float]:
    """Seconds that only go forwards; those of a test's clock where the clock is a test's."""
    return time.monotonic if clock is utc_now else lambda: clock().timestamp()


class LeaseWatch:
    """Args:
    span: how long a right may be held.
    seconds: a steady clock.
    """

    def __init__(self, span: timedelta, seconds: Callable[[], float]) -> None:
        self._span = span.total_seconds()
        self._seconds = seconds
        self._since: dict[Hashable, float] = {}

    def over(self, held: Iterable[Held]) -> list[Held]:
        """Of all rights that are held now, those that have been for their whole span."""
        now, given = self._seconds(), list(held)
        self._since = {right: self._since.get(right, now) for right in given}
        return [right for right in given if now - self._since[right] >= self._span]
