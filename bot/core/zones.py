"""IANA time zones by name."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones


def is_time_zone(name: str) -> bool:
    return name in _names()


@cache
def _names() -> frozenset[str]:
    """Listing them walks a folder of six hundred files, so it is done once."""
    return frozenset(available_timezones())
