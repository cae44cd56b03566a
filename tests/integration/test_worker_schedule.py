"""The clock in its own zones: across changes of summer time, after downtime, with two schedulers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from bot.core.database import Database
from bot.core.declare import Declaration
from bot.core.events import Tick
from bot.core.kernel import Kernel
from bot.core.registry import Registry
from bot.core.settings import Settings
from bot.plugin import Context, Plugin, schedule
from workers.schedule import latest_due, tick

pytestmark = pytest.mark.integration


def utc(month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def due_times(cron: str, zone: str, start: datetime, hours: int) -> list[str]:
    """Every time that falls due while a scheduler looks twice a minute, in UTC."""
    declaration = Declaration("schedule", cron, "io", zone=zone)
    last, found = start, []
    for half_minutes in range(hours * 120 + 1):
        due = latest_due(declaration, last, start + timedelta(seconds=30 * half_minutes))
        if due is not None:
            found.append(due.strftime("%m-%d %H:%M"))
            last = due
    return found


@pytest.mark.parametrize(
    ("cron", "start", "hours", "expected"),
    [
        # Berlin goes from 02:00 to 03:00 on 29 March, and from 03:00 back to 02:00 on 25 October.
        ("0 9 * * *", utc(3, 28, 7), 26, ["03-28 08:00", "03-29 07:00"]),
        ("0 9 * * *", utc(10, 24, 6), 27, ["10-24 07:00", "10-25 08:00"]),
        ("30 2 * * *", utc(3, 28, 23), 6, ["03-29 01:00"]),  # skipped: the next valid time
        ("30 2 * * *", utc(10, 24, 22), 6, ["10-25 00:30"]),  # repeated: the first
        ("*/30 2 * * *", utc(10, 24, 22), 6, ["10-25 00:00", "10-25 00:30"]),
        ("@daily", utc(10, 24, 21), 6, ["10-24 22:00"]),
        ("0 * * * *", utc(10, 24, 23, 30), 3, ["10-25 00:00", "10-25 01:00", "10-25 02:00"]),
        ("0 9 * * MON", utc(10, 25), 24 * 9, ["10-26 08:00", "11-02 08:00"]),
    ],
)
def test_a_schedule_keeps_its_wall_clock_time(
    cron: str, start: datetime, hours: int, expected: list[str]
) -> None:
    assert due_times(cron, "Europe/Berlin", start, hours) == expected


class Clocked(Plugin):
    name = "clocked"

    @schedule("0 9 * * *", zone="Europe/Berlin")
    def morning(self, due: Tick, ctx: Context) -> None: ...

    @schedule("0 9 * * *", zone="Europe/Berlin", catch_up="skip")
    def punctual(self, due: Tick, ctx: Context) -> None: ...


class World:
    def __init__(self, url: str) -> None:
        self.now = utc(11, 20, 6)
        self.db = Database(url)
        self.db.migrate()
        self.kernel = self.another()

    def another(self) -> Kernel:
        registry = Registry()
        registry.add(Clocked(Clocked.Config()))
        return Kernel(Settings(secret_key="k" * 32), self.db, registry, [], clock=lambda: self.now)

    def handlers(self) -> list[str]:
        return sorted(run.handler for run in self.kernel.inbox.runs())


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.db.close()


def test_a_new_schedule_does_not_catch_up_with_times_before_it(world: World) -> None:
    assert tick(world.kernel) == []
    world.now = utc(11, 20, 7, 59)
    assert tick(world.kernel) == []


def test_a_planned_time_becomes_one_event(world: World) -> None:
    tick(world.kernel)
    world.now = utc(11, 20, 8)
    runs = tick(world.kernel)
    assert len(runs) == 2
    world.now += timedelta(seconds=10)
    assert tick(world.kernel) == []
    assert world.handlers() == ["clocked.morning", "clocked.punctual"]
    [event, _] = world.kernel.inbox.recent()
    planned = Tick.model_validate_json(world.kernel.inbox.event(event.id)[1])
    assert (planned.due_at, planned.zone) == (utc(11, 20, 8), "Europe/Berlin")


def test_after_downtime_the_newest_missed_time_runs_once_or_not_at_all(world: World) -> None:
    tick(world.kernel)
    world.now = utc(11, 23, 12)
    tick(world.kernel)
    tick(world.kernel)
    assert world.handlers() == ["clocked.morning"]
    world.now = utc(11, 24, 8)
    assert len(tick(world.kernel)) == 2


def test_two_schedulers_at_once_make_one_event(world: World) -> None:
    for moment in (utc(11, 20, 6), utc(11, 20, 8), utc(11, 21, 8)):
        world.now = moment
        together = Barrier(2)

        def look(kernel: Kernel, together: Barrier = together) -> int:
            together.wait(10)
            return len(tick(kernel))

        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(look, [world.kernel, world.another()]))
        assert sum(found) == (0 if moment.hour == 6 else 2)
    assert world.handlers() == ["clocked.morning"] * 2 + ["clocked.punctual"] * 2


def test_a_sixth_field_is_seconds() -> None:
    declaration = Declaration("schedule", "* * * * * */30", "io")
    start = utc(3, 28, 7)
    looks = [start + timedelta(seconds=seconds) for seconds in (12, 31, 44, 65)]
    found = [latest_due(declaration, start, now) for now in looks]
    assert [due and (due - start).total_seconds() for due in found] == [None, 30, 30, 60]
