"""A plugin that keeps failing rests, everybody sees it, and its neighbours go on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from bot.core.database import Database
from bot.core.pauses import Pauses
from bot.core.runner import RunResult
from bot.testing import Kit
from plugins.core import Core
from workers.breaker import FAILURES, Breakers

pytestmark = pytest.mark.integration
WELL = RunResult("done", "a.x", "a")
ILL = RunResult("retried", "a.x", "a", error="Jira is away.")


@pytest.fixture
def pauses(database_url: str) -> Iterator[Pauses]:
    db = Database(database_url)
    db.migrate()
    yield Pauses(db)
    db.close()


def test_ten_failures_in_a_row_pause_the_plugin_in_every_worker(redis_url: str, pauses: Pauses) -> None:
    one, other = (Breakers(redis_url, ["a", "b"], pauses) for _ in range(2))
    for _ in range(FAILURES - 1):
        one.note(ILL)
    assert one.postponed("a") is None
    one.note(ILL)
    assert other.postponed("a")
    assert other.postponed("b") is None
    assert "Jira is away." in pauses.all()["a"]


def test_a_success_between_starts_the_count_anew(redis_url: str, pauses: Pauses) -> None:
    breakers = Breakers(redis_url, ["a"], pauses)
    for result in [*[ILL] * (FAILURES - 1), WELL, ILL]:
        breakers.note(result)
    assert breakers.postponed("a") is None
    assert pauses.all() == {}


def test_bad_events_do_not_pause_a_plugin(redis_url: str, pauses: Pauses) -> None:
    breakers = Breakers(redis_url, ["a"], pauses)
    for _ in range(FAILURES * 2):
        breakers.note(RunResult("dead", "a.x", "a", error="This event is malformed."))
    assert breakers.postponed("a") is None


def test_a_pause_ends_with_a_redis_that_forgot_it(redis_url: str, pauses: Pauses) -> None:
    breakers = Breakers(redis_url, ["a"], pauses)
    for _ in range(FAILURES):
        breakers.note(ILL)
    Redis.from_url(redis_url).flushdb()
    Breakers(redis_url, ["a"], pauses)
    assert pauses.all() == {}


def test_status_shows_who_rests() -> None:
    with Kit(Core) as kit:
        kit.kernel.pauses.begin("core", "Jira is away.")
        kit.command("/signalbox status")
        assert "Jira is away." in kit.reply.text
