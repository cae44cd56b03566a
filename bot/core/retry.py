"""When to try again: exponential backoff with full jitter (Brooker, AWS Architecture Blog, 2015)."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from bot.core.errors import Transient

BASE_SECONDS = 1.0
CAP_SECONDS = 600.0
LONGEST_WAIT = timedelta(minutes=15)
"""No run is put off for longer; one that seems to be was put off by a clock that went wrong."""


def next_attempt(error: Transient, attempt: int, now: datetime, draw: random.Random) -> datetime:
    """The time of the next try after the `attempt`-th failed (counted from 1).

    A Retry-After is a floor: never earlier than asked, spread out behind it; one of more than a quarter of an
    hour is asked again whether it still holds.
    """
    ceiling = min(CAP_SECONDS, BASE_SECONDS * 2 ** (attempt - 1))
    delay = draw.uniform(0, ceiling)
    if error.retry_after is not None:
        delay = error.retry_after + draw.uniform(0, max(0.1, error.retry_after * 0.1))
    longest = (LONGEST_WAIT - timedelta(minutes=1)).total_seconds()
    return now + timedelta(seconds=min(delay, longest))  # in this order: no span of time holds every number
