"""The clock: which schedules are due, in their own time zones. However many schedulers look, each planned
time becomes one event.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from croniter import croniter
from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.core.database import Database
from bot.core.declare import Declaration, Handler
from bot.core.events import Tick
from bot.core.inbox import DueRun
from bot.core.kernel import Kernel
from bot.core.schedule_source import tick_event
from bot.core.tables import schedules

_SKEW = timedelta(minutes=1)
_HOURS = 1  # the second field of a cron expression


def latest_due(declaration: Declaration, last: datetime, now: datetime) -> datetime | None:
    """The most recent planned time after `last` and not after `now`, as UTC.

    Cron is read in the schedule's zone, so "9 o'clock" stays 9 o'clock across a change to or from
    summer time (a time that the change skips falls on the next valid one). Of a time that the change
    repeats, the first counts; a cron without fixed hours runs through both.
    """
    zone = ZoneInfo(declaration.zone)
    cron = croniter(declaration.match, now.astimezone(zone))
    planned = cron.get_prev(datetime)
    on_the_minute = croniter(declaration.match, now.astimezone(zone)).get_current(datetime)
    if croniter.match(declaration.match, on_the_minute) and on_the_minute.second == 0:
        planned = on_the_minute
    if cron.expanded[_HOURS] != ["*"]:
        planned = planned.replace(fold=0)
    due: datetime = planned.astimezone(UTC)
    return due if due > last else None


def tick(kernel: Kernel) -> list[DueRun]:
    """Put an event into the inbox for each schedule that is due; returns the runs to hand over."""
    now = kernel.clock()
    runs: list[DueRun] = []
    kernel.overrides.refresh()
    for handler in kernel.registry.schedules():
        due = _due(kernel.db, handler, now)
        if due is None:
            continue
        event = tick_event(
            handler.name,
            handler.declaration.queue,
            Tick(schedule=handler.name, due_at=due, zone=handler.declaration.zone),
        )
        if not kernel.inbox.put(event).duplicate:
            runs += [DueRun(run_id, queue) for run_id, (_, queue) in event.run_ids()]
        _note(kernel.db, handler.name, due)
    return runs


def _due(db: Database, handler: Handler, now: datetime) -> datetime | None:
    with db.read() as tx:
        row = tx.execute(select(schedules).where(schedules.c.handler == handler.name)).one_or_none()
    if row is None:
        _first_seen(db, handler.name, now)
        return None
    if row.paused:
        return None
    if row.last_due_at > now + _SKEW:
        _go_back(db, handler.name, now)
        return None
    due = latest_due(handler.declaration, row.last_due_at, now)
    missed = due is not None and (now - due).total_seconds() > 600
    if missed and handler.declaration.catch_up == "skip":
        _note(db, handler.name, due)
        return None
    return due


def _go_back(db: Database, handler: str, now: datetime) -> None:
    """The clock was ahead and went back: go on from here. What was done ahead of its time is not done again,
    because each planned time makes one event.
    """
    ahead = (schedules.c.handler == handler) & (schedules.c.last_due_at > now + _SKEW)
    with db.write() as tx:
        tx.execute(update(schedules).where(ahead).values(last_due_at=now))


def _first_seen(db: Database, handler: str, now: datetime) -> None:
    """A new schedule starts now: it does not catch up with times before it was installed."""
    dialect: Any = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    new = dialect.insert(schedules).values(handler=handler, last_due_at=now, paused=0)
    with db.write() as tx:  # another scheduler may have seen it first
        tx.execute(new.on_conflict_do_nothing(index_elements=[schedules.c.handler]))


def _note(db: Database, handler: str, due: datetime | None) -> None:
    with db.write() as tx:
        tx.execute(
            update(schedules)
            .where(schedules.c.handler == handler, schedules.c.last_due_at < due)
            .values(last_due_at=due)
        )
