"""Clocks that jump by hours, forwards and back, and clocks that differ: nothing is lost, doubled or held up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from celery import Celery
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from pydantic import SecretStr

from bot.core.database import Database
from bot.core.events import DedupeKey, NewEvent
from bot.core.inbox import Busy, Inbox, Lease
from bot.core.kernel import Kernel
from bot.core.lease_watch import LeaseWatch
from bot.core.messages import Message
from bot.core.registry import Registry
from bot.core.settings import Settings
from bot.core.stored_messages import StoredMessages
from bot.plugin import Context, Plugin, Tick, schedule
from bot.webhooks.limits import Rate
from workers.beat import SteadyScheduler
from workers.schedule import tick

pytestmark = pytest.mark.integration
TTL = timedelta(seconds=30)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
JUMPS = [timedelta(hours=3), timedelta(hours=-3), timedelta(hours=-30), timedelta(hours=30)]


class Machine:
    """A time of day that jumps, and a steady clock that does not."""

    def __init__(self, db: Database, ahead: timedelta = timedelta(0)) -> None:
        self.now, self.steady = NOON + ahead, 0.0
        self.inbox = Inbox(db, lambda: self.now, TTL)
        self.inbox._watch = LeaseWatch(TTL, lambda: self.steady)  # the other clock of this machine

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.steady += seconds

    def lease(self, new: NewEvent) -> Lease | Busy | None:
        return self.inbox.lease(f"{new.id}-0", "w", TTL)


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    database.migrate()
    yield database
    database.close()


def event(*keys: DedupeKey, serial: str | None = None) -> NewEvent:
    return NewEvent("test", "test.event", "s", b"{}", keys, serial, runs=(("toy.run", "io"),))


@pytest.mark.parametrize("jump", JUMPS)
def test_a_jump_takes_no_run_from_a_worker_that_is_at_it(db: Database, jump: timedelta) -> None:
    machine, new = Machine(db), event(serial="one")
    machine.inbox.put(new)
    mine = machine.lease(new)
    assert isinstance(mine, Lease)
    machine.inbox.due()
    machine.now += jump
    machine.passes(20)
    assert machine.inbox.due() == []
    assert machine.lease(new) is None
    machine.inbox.done(mine)
    assert machine.inbox.open_counts() == {"pending": 0, "leased": 0, "dead": 0}


@pytest.mark.parametrize("jump", JUMPS)
def test_a_dead_workers_run_waits_no_longer_for_a_jump(db: Database, jump: timedelta) -> None:
    machine, new, behind = Machine(db), event(serial="one"), event(serial="one")
    machine.inbox.put_many([new, behind])
    assert isinstance(machine.lease(new), Lease)
    assert isinstance(machine.lease(behind), Busy)
    machine.now += jump
    machine.inbox.due()
    machine.passes(31)
    assert f"{new.id}-0" in {run.run_id for run in machine.inbox.due()}
    again = machine.lease(new)
    assert isinstance(again, Lease)
    assert again.attempt == 2
    assert [run.run_id for run in machine.inbox.done(again)] == [f"{behind.id}-0"]
    assert isinstance(machine.lease(behind), Lease)


@pytest.mark.parametrize("ahead", JUMPS)
def test_machines_whose_clocks_differ_share_the_work(db: Database, ahead: timedelta) -> None:
    right, wrong, new = Machine(db), Machine(db, ahead), event()
    right.inbox.put(new)
    lease = wrong.lease(new)
    assert isinstance(lease, Lease)
    for _ in range(3):
        assert right.inbox.due() == wrong.inbox.due() == []
        right.passes(9)
        wrong.passes(9)
    assert right.lease(new) is None
    wrong.inbox.retry(lease, wrong.now + timedelta(seconds=5), "once more")
    right.passes(6)
    wrong.passes(6)
    assert isinstance(right.lease(new) or wrong.lease(new), Lease)


def test_a_retry_that_a_jump_put_off_for_hours_is_made_now(db: Database) -> None:
    machine, new = Machine(db), event()
    machine.inbox.put(new)
    lease = machine.lease(new)
    assert isinstance(lease, Lease)
    machine.inbox.retry(lease, machine.now + timedelta(seconds=10), "busy")
    machine.now -= timedelta(hours=3)
    assert [run.run_id for run in machine.inbox.due()] == [f"{new.id}-0"]
    assert isinstance(machine.lease(new), Lease)


@pytest.mark.parametrize("jump", JUMPS[:3])
def test_what_came_before_a_jump_is_recognised_after_it(db: Database, jump: timedelta) -> None:
    machine = Machine(db)
    machine.inbox.put(event(DedupeKey("jira:1")))
    machine.now += jump
    assert machine.inbox.put(event(DedupeKey("jira:1"))).duplicate


def test_a_window_of_seconds_does_not_last_for_hours(db: Database) -> None:
    machine = Machine(db)
    machine.inbox.put(event(DedupeKey("alertmanager:x", 5)))
    machine.now -= timedelta(hours=3)
    assert not machine.inbox.put(event(DedupeKey("alertmanager:x", 5))).duplicate
    assert machine.inbox.put(event(DedupeKey("alertmanager:x", 5))).duplicate


def test_content_that_is_wanted_after_a_jump_is_the_newest(db: Database) -> None:
    now = [NOON]
    stored = StoredMessages(db, lambda: now[0])
    sent = stored.want("k", "C", Message(text="one"))
    now[0] -= timedelta(hours=3)
    stored.want("k", "C", Message(text="two"))
    stored.sent("k", "C", "1.0", "hash-one", sent.wanted_at)
    [dirty] = stored.dirty()
    assert dirty.wanted.text == "two"
    stored.touch("k")
    stored.sent("k", "C", "1.0", "hash-two", dirty.wanted_at)
    assert stored.dirty()


class Clocked(Plugin):
    name = "clocked"

    @schedule("* * * * *")
    def minutely(self, payload: Tick, ctx: Context) -> None:
        pass

    @schedule("0 14 * * *")
    def daily(self, payload: Tick, ctx: Context) -> None:
        pass


def test_a_schedule_goes_on_after_a_jump_there_and_back_and_does_nothing_twice(db: Database) -> None:
    now = [NOON]
    registry = Registry()
    registry.add(Clocked(Clocked.Config()))
    kernel = Kernel(Settings(secret_key=SecretStr("k" * 32)), db, registry, [], clock=lambda: now[0])

    def ticks(minutes: int) -> list[str]:
        for _ in range(minutes * 6):
            now[0] += timedelta(seconds=10)
            tick(kernel)
        return [run.handler for run in kernel.inbox.runs(limit=1000)]

    tick(kernel)
    assert ticks(3) == ["clocked.minutely"] * 3
    now[0] += timedelta(hours=3)
    assert ticks(3).count("clocked.daily") == 1
    now[0] -= timedelta(hours=3)
    before = ticks(1).count("clocked.minutely")
    assert ticks(5).count("clocked.minutely") == before + 5
    now[0] = NOON + timedelta(hours=1, minutes=58)
    assert ticks(5).count("clocked.daily") == 1


def test_the_rhythm_of_the_workers_does_not_follow_the_time_of_day(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Celery(broker="memory://", set_as_current=False)
    app.conf.beat_schedule = {
        "often": {"task": "often", "schedule": 1.0},
        "seldom": {"task": "seldom", "schedule": 5.0},
    }
    sent: list[str] = []
    steady, day = [0.0], [1e9]
    monkeypatch.setattr(time, "monotonic", lambda: steady[0])
    monkeypatch.setattr(time, "time", lambda: day[0])
    monkeypatch.setattr(SteadyScheduler, "apply_async", lambda _, entry, **__: sent.append(entry.name))
    scheduler = SteadyScheduler(app)
    for second in range(21):
        day[0] += 10_800 if second == 7 else -10_800 if second in {12, 13} else 1
        while scheduler.tick() == 0:
            pass
        steady[0] += 1
    assert 19 <= sent.count("often") <= 21
    assert sent.count("seldom") in {4, 5}


def test_nobody_waits_at_a_limit_until_the_clock_has_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    rate = Rate("person", "2/minute", FixedWindowRateLimiter(MemoryStorage()))
    assert [rate.wait("U1") > 0 for _ in range(3)] == [False, False, True]
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 10_800)
    assert rate.wait("U1") == 0
