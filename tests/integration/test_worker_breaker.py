"""The circuit breaker in a real Redis: one failing plugin rests, its neighbours go on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import redis

from bot.core.database import Database
from bot.core.errors import Transient
from bot.core.events import Delivery, Hook, NewEvent, Payload
from bot.core.integration import Integration
from bot.core.kernel import Kernel
from bot.core.pauses import Pauses
from bot.core.registry import Registry
from bot.core.runner import Runner, RunResult
from bot.core.settings import Settings
from bot.plugin import Context, Plugin, on
from tests.conftest import free_port
from workers.breaker import FAILURES, PAUSE, Breakers

pytestmark = pytest.mark.integration


class Source:
    name = "test"
    max_body = 0

    def verify(self, delivery: Delivery, now: datetime) -> None: ...

    def normalise(self, delivery: Delivery, now: datetime) -> None: ...

    def parse(self, kind: str, body: bytes) -> Payload:
        return Hook.model_validate_json(body)


class Bad(Plugin):
    name = "bad"
    well = False

    @on("test.event")
    def work(self, hook: Hook, ctx: Context) -> None:
        if not self.well:
            raise Transient("The other side is down.")


class Good(Plugin):
    name = "good"

    @on("test.event")
    def work(self, hook: Hook, ctx: Context) -> None: ...


class World:
    """Two workers with the same plugins, database and Redis."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        self.now = datetime(2026, 11, 23, 12, tzinfo=UTC)
        self.redis = redis.Redis.from_url(redis_url)
        self.db = Database(database_url)
        self.db.migrate()
        self.bad = Bad(Bad.Config())
        registry = Registry()
        registry.add(self.bad)
        registry.add(Good(Good.Config()))
        settings = Settings(secret_key="k" * 32, redis_url=redis_url)
        test = [lambda _services: Integration("test", (Source(),))]
        self.kernel = Kernel(settings, self.db, registry, test, clock=lambda: self.now)
        self.pauses = Pauses(self.db)
        self.breakers = [Breakers(redis_url, ["bad", "good"], self.pauses) for _ in range(2)]
        self.runners = [
            Runner(self.kernel, f"w{n}", b.note, b.postponed) for n, b in enumerate(self.breakers)
        ]

    def run(self, plugin: str, worker: int = 0) -> RunResult:
        event = NewEvent("test", "test.event", "s", b'{"name": "n"}', runs=((f"{plugin}.work", "io"),))
        self.kernel.inbox.put(event)
        return self.runners[worker].run(event.run_ids()[0][0])

    def fail(self) -> None:
        assert [self.run("bad").outcome for _ in range(FAILURES)] == ["retried"] * FAILURES

    def pause_over(self) -> None:
        [key] = self.redis.keys("*bad*opened_at")
        self.redis.decrby(key, int(PAUSE.total_seconds()) + 1)


@pytest.fixture
def world(database_url: str, redis_url: str) -> Iterator[World]:
    made = World(database_url, redis_url)
    yield made
    made.db.close()


def test_a_failing_plugin_rests_for_all_workers_and_no_other_does(world: World) -> None:
    world.fail()
    for worker in (0, 1):
        resting = world.run("bad", worker)
        assert (resting.outcome, "keeps failing" in resting.error) == ("postponed", True)
        assert world.run("good", worker).outcome == "done"
    assert "The other side is down." in world.pauses.all()["bad"]


def test_what_waits_uses_up_no_attempt(world: World) -> None:
    world.fail()
    world.run("bad")
    [waiting] = [run for run in world.kernel.inbox.runs() if run.attempts == 0]
    assert (waiting.status, waiting.due_at) == ("pending", world.now + PAUSE)


def test_after_the_pause_a_run_that_works_ends_it(world: World) -> None:
    world.fail()
    world.pause_over()
    world.bad.well = True
    assert world.run("bad", 1).outcome == "done"
    assert world.run("bad", 0).outcome == "done"
    assert world.pauses.all() == {}


def test_after_the_pause_a_run_that_fails_begins_another(world: World) -> None:
    world.fail()
    world.pause_over()
    assert world.run("bad", 1).outcome == "retried"
    assert world.run("bad", 0).outcome == "postponed"


@pytest.mark.parametrize("outcome", ["throttled", "refused", "busy", "dead"])
def test_what_is_not_the_plugins_failure_is_not_counted(world: World, outcome: str) -> None:
    for _ in range(FAILURES + 1):
        world.breakers[0].note(RunResult(outcome, "bad.work", "bad"))  # type: ignore[arg-type]
    assert world.breakers[0].postponed("bad") is None


def test_a_success_between_failures_starts_the_count_anew(world: World) -> None:
    for _ in range(FAILURES - 1):
        world.run("bad")
    world.bad.well = True
    world.run("bad")
    world.bad.well = False
    assert world.run("bad").outcome == "retried"
    assert world.run("bad").outcome == "retried"


def test_without_redis_nobody_rests(world: World) -> None:
    gone = Breakers(f"redis://127.0.0.1:{free_port()}/0", ["bad"], world.pauses)
    failed = RunResult("retried", "bad.work", "bad", error="down")
    gone.note(failed)
    assert gone.postponed("bad") is None
    assert gone.postponed("unknown") is None
