"""What came in and what went out, hour by hour, and the newest effects: for people who look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, func, select, type_coerce

from bot.core.database import Database
from bot.core.events import utc_now
from bot.core.steps import StepStatus
from bot.core.tables import events, steps

_HOUR = timedelta(hours=1)
_HOUR_MICROSECONDS = 3_600_000_000
_CLOCK = "schedule.tick"


@dataclass(frozen=True, slots=True)
class Hour:
    """Deliveries that people and systems sent, and effects on outside systems."""

    begins: datetime
    came: int
    went: int


@dataclass(frozen=True, slots=True)
class Effect:
    """A step, with what it was done for."""

    event_id: str
    kind: str
    subject: str
    name: str
    call: str
    status: StepStatus
    started_at: datetime
    error: str | None


class Traffic:
    def __init__(self, db: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._clock = clock

    def by_hour(self, hours: int = 24) -> list[Hour]:
        """The last whole hours and the one that runs, oldest first."""
        now = self._clock()
        first = now.replace(minute=0, second=0, microsecond=0) - _HOUR * (hours - 1)
        came = _hour_of(events.c.received_at)
        went = _hour_of(steps.c.started_at)
        arrivals = select(came, func.count()).where(events.c.received_at >= first, events.c.kind != _CLOCK)
        # Ids are in order of time, so that the primary key finds them; work may follow a day later.
        since = _first_id(first - timedelta(days=1))
        effects = select(went, func.count()).where(steps.c.event_id >= since, steps.c.started_at >= first)
        with self._db.read() as tx:
            arrived: dict[int, int] = dict(tx.execute(arrivals.group_by(came)).all())
            left: dict[int, int] = dict(tx.execute(effects.group_by(went)).all())
        begins = [first + _HOUR * number for number in range(hours)]
        return [Hour(at, arrived.get(_number(at), 0), left.get(_number(at), 0)) for at in begins]

    def effects(self, limit: int = 10) -> list[Effect]:
        """Of the newest events that had any, newest first."""
        query = (
            select(
                steps.c.event_id, events.c.kind, events.c.subject, steps.c.name, steps.c.call,
                steps.c.status, steps.c.started_at, steps.c.error,
            )
            .join(events, events.c.id == steps.c.event_id)
            .order_by(steps.c.event_id.desc(), steps.c.name)
            .limit(limit)
        )  # fmt: skip
        with self._db.read() as tx:
            return [Effect(*row) for row in tx.execute(query)]


def _hour_of(column: ColumnElement[Any]) -> ColumnElement[int]:
    return type_coerce(column, BigInteger) // _HOUR_MICROSECONDS


def _number(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp()) // 3600


def _first_id(at: datetime) -> str:
    """No event of that time or later has a smaller id (UUID version 7: milliseconds come first)."""
    return f"{int(at.timestamp() * 1000):012x}"
