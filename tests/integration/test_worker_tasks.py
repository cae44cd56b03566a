"""The worker's tasks: what at-least-once needs, and what the sweeper picks up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
import redis

from bot.core.database import Database
from bot.core.errors import Transient
from bot.core.events import DedupeKey, Delivery, Hook, NewEvent, Payload
from bot.core.inbox import Lease
from bot.core.integration import Integration, Services
from bot.core.kernel import Kernel
from bot.core.messages import Message
from bot.core.registry import Registry
from bot.core.runner import Runner
from bot.core.settings import Settings
from bot.plugin import Context, Plugin, on
from tests.conftest import free_port, wait_until
from workers import runtime, tasks

pytestmark = pytest.mark.integration
WANTED = """
import json
from workers.app import app
names = ["task_acks_late", "task_reject_on_worker_lost", "worker_prefetch_multiplier", "task_time_limit",
         "task_soft_time_limit", "task_ignore_result", "broker_transport_options", "accept_content"]
print(json.dumps({name: app.conf[name] for name in names}))
"""


class Toy(Plugin):
    name = "toy"

    @on("test.event")
    def work(self, hook: Hook, ctx: Context) -> None: ...


class Source:
    name = "test"
    max_body = 0

    def verify(self, delivery: Delivery, now: datetime) -> None: ...

    def normalise(self, delivery: Delivery, now: datetime) -> None: ...

    def parse(self, kind: str, body: bytes) -> Payload:
        return Hook.model_validate_json(body)


class Chat:
    flushed = 0

    def flush(self) -> None:
        self.flushed += 1


class World:
    def __init__(self, database_url: str, redis_url: str) -> None:
        self.now = datetime(2026, 11, 23, 12, tzinfo=UTC)
        self.enqueued: list[str] = []
        self.chat: Chat | None = None
        self.db = Database(database_url)
        self.db.migrate()
        registry = Registry()
        registry.add(Toy(Toy.Config()))
        settings = Settings(secret_key="k" * 32, redis_url=redis_url)
        self.kernel = Kernel(
            settings,
            self.db,
            registry,
            [self.connect],
            enqueue=lambda runs: self.enqueued.extend(run.run_id for run in runs),
            clock=lambda: self.now,
        )
        self.runner = Runner(self.kernel, "w1")

    def connect(self, _: Services) -> Integration:
        return Integration("test", (Source(),), "chat", lambda: self.chat)

    def lost(self, queue: str = "io") -> str:
        """A run whose task never reached Redis."""
        event = NewEvent("test", "test.event", "s", b'{"name": "n"}', runs=(("toy.work", queue),))
        self.kernel.inbox.put(event)
        return event.run_ids()[0][0]

    def status(self, run_id: str) -> str:
        return next(run.status for run in self.kernel.inbox.runs() if run.id == run_id)


@pytest.fixture
def world(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(database_url, redis_url)
    current = runtime.Runtime(made.kernel, made.runner, cast(Any, None), cast(Any, None))
    monkeypatch.setattr(runtime, "_current", [current])
    yield made
    made.db.close()


def configuration(**env: str) -> dict[str, Any]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALBOX_")}  # noqa: TID251
    argv = [sys.executable, "-c", WANTED]
    done = subprocess.run(argv, env=own | env, capture_output=True, text=True, timeout=60, check=True)
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize(
    "env",
    [{}, {"SIGNALBOX_WORKERS__HARD_TIME_LIMIT": "7200", "SIGNALBOX_WORKERS__LEASE_SECONDS": "8000"}],
)
def test_celery_is_told_what_at_least_once_needs(env: dict[str, str]) -> None:
    conf = configuration(**env)
    assert conf["task_acks_late"] is True
    assert conf["task_reject_on_worker_lost"] is True
    assert conf["worker_prefetch_multiplier"] == 1
    assert conf["accept_content"] == ["json"]
    assert conf["task_soft_time_limit"] < conf["task_time_limit"]
    assert conf["task_time_limit"] < conf["broker_transport_options"]["visibility_timeout"]


def test_the_sweeper_hands_over_what_redis_lost_and_leaves_the_young(world: World) -> None:
    old = world.lost()
    world.now += tasks.SWEEP_AFTER
    young = world.lost()
    tasks.sweep()
    assert world.enqueued == [old]
    tasks.process(old)
    assert (world.status(old), world.status(young)) == ("done", "pending")
    world.enqueued.clear()
    tasks.sweep()
    assert world.enqueued == []


def test_the_sweeper_takes_over_from_a_dead_worker(world: World) -> None:
    run_id = world.lost()
    held = world.kernel.inbox.lease(run_id, "killed", timedelta(seconds=120))
    assert isinstance(held, Lease)
    tasks.process(run_id)
    assert world.status(run_id) == "leased"
    tasks.sweep()
    world.now += timedelta(seconds=121)
    tasks.sweep()
    assert world.enqueued == [run_id]
    tasks.process(run_id)
    assert world.status(run_id) == "done"


def test_a_queue_that_is_long_already_gets_no_copies(world: World, redis_url: str) -> None:
    world.lost()
    world.now += tasks.SWEEP_AFTER
    redis.Redis.from_url(redis_url).rpush("io", *range(tasks.BACKLOG))
    tasks.sweep()
    assert world.enqueued == []


def test_many_that_wait_in_one_queue_hide_nothing_of_another(world: World, redis_url: str) -> None:
    many = [NewEvent("test", "test.event", "s", b"{}", runs=(("toy.work", "io"),)) for _ in range(600)]
    world.kernel.inbox.put_many(many)
    world.now += timedelta(seconds=1)
    click = world.lost("interactive")
    world.now += tasks.SWEEP_AFTER
    redis.Redis.from_url(redis_url).rpush("io", *range(tasks.BACKLOG))
    tasks.sweep()
    assert world.enqueued == [click]


def test_a_task_that_comes_twice_does_its_work_once(world: World) -> None:
    run_id = world.lost()
    tasks.process(run_id)
    tasks.process(run_id)
    [run] = world.kernel.inbox.runs()
    assert (run.status, run.attempts) == ("done", 1)


def test_a_database_that_refuses_leaves_the_run_to_the_sweeper(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = world.lost()

    def refuse(*_: Any) -> None:
        raise Transient("The database is locked.")

    with monkeypatch.context() as broken:
        broken.setattr(world.kernel.inbox, "lease", refuse)
        tasks.process(run_id)
    world.now += tasks.SWEEP_AFTER
    tasks.sweep()
    assert world.enqueued == [run_id]


def test_messages_that_wait_are_flushed_and_only_they(world: World) -> None:
    world.chat = Chat()
    tasks.flush_messages()
    assert world.chat.flushed == 0
    world.kernel.messages.want("k", "C1", Message(text="x"))
    tasks.flush_messages()
    assert world.chat.flushed == 1


def test_a_key_is_forgotten_when_its_window_is_over(world: World) -> None:
    def put() -> bool:
        keys = (DedupeKey("k", window=60.0),)
        return world.kernel.inbox.put(NewEvent("test", "test.event", "s", b"{}", keys)).duplicate

    assert (put(), put()) == (False, True)
    world.now += timedelta(seconds=61)
    tasks.forget()
    assert world.kernel.inbox.forget_expired_keys() == 0
    assert put() is False


def test_a_worker_on_a_node_of_its_own_shows_its_figures(redis_url: str, tmp_path: Path) -> None:
    port = free_port()
    env = {
        **os.environ,  # noqa: TID251  # the worker's environment is the test's, and more
        "REDIS_URL": redis_url,
        "SIGNALBOX_DATA_DIR": str(tmp_path),
        "SIGNALBOX_SECRET_KEY": "k" * 32,
        "SIGNALBOX_WORKERS__METRICS_PORT": str(port),
    }
    worker = subprocess.Popen([sys.executable, "-m", "bot", "worker", "--queues", "io"], env=env)
    try:
        wait_until(lambda: "signalbox_" in figures(port), 30, "the worker's metrics")
    finally:
        worker.terminate()
        worker.wait(20)


def figures(port: int) -> str:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/metrics", timeout=2).text
    except httpx2.TransportError:
        return ""
