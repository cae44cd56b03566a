"""Maintenance windows: groups that match are shown, but nobody is called for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from croniter import croniter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from bot.core.zones import Zone
from plugins.alert_relay.routing.conditions import Conditions


class Maintenance(Conditions):
    """Once from `start` to `end`, or again and again: `hours` long from each time of `cron`."""

    name: str = Field(min_length=1, max_length=80, description="Shown on the messages.")
    start: AwareDatetime | None = Field(None, description="When the window opens, with its time zone.")
    end: AwareDatetime | None = Field(None, description="When it closes.")
    cron: str = Field("", description="When a window that returns opens, e.g. '0 2 * * SUN'.")
    hours: float = Field(0.0, ge=0, le=168, description="How long each of those lasts.")
    zone: Zone = Field("UTC", description="Time zone of `cron` (IANA name).")

    @model_validator(mode="after")
    def _has_a_time(self) -> Self:
        once = self.start is not None and self.end is not None and self.start < self.end
        returns = bool(self.cron) and croniter.is_valid(self.cron) and self.hours > 0
        if once == returns:
            raise ValueError(
                f"the maintenance window {self.name!r} needs either start and a later end, or cron and "
                "hours. Example: cron = '0 2 * * SUN', hours = 2"
            )
        if not self.match and not self.match_re:
            raise ValueError(
                f"the maintenance window {self.name!r} would cover every alert. "
                'Example: match = { service = "checkout" }'
            )
        return self

    def until(self, now: datetime) -> datetime | None:
        """When the window that is open now closes; None outside of it."""
        if self.start is not None and self.end is not None:
            return self.end if self.start <= now < self.end else None
        local = now.astimezone(ZoneInfo(self.zone))
        # get_prev excludes the very minute that it is asked about.
        opened: datetime = croniter(self.cron, local + timedelta(seconds=1)).get_prev(datetime)
        end = opened + timedelta(hours=self.hours)
        return end.astimezone(now.tzinfo) if now < end else None


class Planned(BaseModel):
    """The window that covers a group now."""

    model_config = ConfigDict(frozen=True)
    name: str
    until: datetime


def covering(windows: Iterable[Maintenance], labels: Mapping[str, str], now: datetime) -> Planned | None:
    """Of the open windows that fit, the one that closes last."""
    found = [
        Planned(name=window.name, until=until)
        for window in windows
        if window.fits(labels) and (until := window.until(now)) is not None
    ]
    return max(found, key=lambda planned: planned.until, default=None)
