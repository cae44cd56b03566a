"""IANA time zones by name."""

from __future__ import annotations

from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator


def is_time_zone(name: str) -> bool:
    return name in _names()


@cache
def _names() -> frozenset[str]:
    """Listing them walks a folder of six hundred files, so it is done once."""
    return frozenset(available_timezones())


def _zone(name: str) -> str:
    if not is_time_zone(name):
        raise ValueError(f"{name!r} is not an IANA time zone. Example: 'Europe/Berlin'")
    return name


Zone = Annotated[str, AfterValidator(_zone)]
"""A setting's field."""
