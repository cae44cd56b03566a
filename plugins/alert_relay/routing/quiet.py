"""Quiet hours: what is not urgent waits until the morning."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from bot.core.zones import Zone
from plugins.alert_relay import severity as severities

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LOOK_AHEAD_DAYS = 9


class QuietHours(BaseModel):
    """From `start` to `end` every day, and the whole of some days; critical groups know no quiet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: time = Field(time(22), description="When the quiet begins.")
    end: time = Field(time(7), description="When it ends; before `start` it is the next morning.")
    all_day: tuple[Day, ...] = Field((), description="Days that are quiet from midnight to midnight.")
    zone: Zone = Field("UTC", description="Time zone of these hours (IANA name).")
    below: Literal["critical", "error", "warning"] = Field(
        "critical", description="Severities below this one are quiet; unknown ones never are."
    )
    mode: Literal["hold", "hush"] = Field(
        "hold", description="hold: posted when the quiet is over; hush: posted, but nobody is called."
    )

    def until(self, severity: str, now: datetime) -> datetime | None:
        """When a group of this severity stops being quiet; None when it is not."""
        local = now.astimezone(ZoneInfo(self.zone))
        if not severities.is_below(severity, self.below) or not self._is_quiet(local):
            return None
        loud = (at for at in self._edges(local) if at > local and not self._is_quiet(at))
        end = next(loud, None)
        return end.astimezone(now.tzinfo) if end else now + timedelta(days=1)

    def _is_quiet(self, local: datetime) -> bool:
        if _DAYS[local.weekday()] in self.all_day:
            return True
        at = local.time()
        if self.start <= self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end

    def _edges(self, local: datetime) -> Iterator[datetime]:
        """Times at which the quiet may end, the next first."""
        for day in range(_LOOK_AHEAD_DAYS):
            date = local.date() + timedelta(days=day)
            for at in sorted({time(0), self.end}):
                yield datetime.combine(date, at, local.tzinfo)
