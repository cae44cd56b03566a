"""The inbox on both databases: dedupe, leases, serial keys, replay, concurrent workers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.core.database import Database
from bot.core.errors import Permanent
from bot.core.events import DedupeKey, NewEvent
from bot.core.group_commit import GroupCommit
from bot.core.inbox import Busy, Inbox, Lease

pytestmark = pytest.mark.integration
TTL = timedelta(seconds=30)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def inbox(db: Database, clock: Clock) -> Inbox:
    return Inbox(db, clock, TTL)


def event(
    number: int = 1, *, key: str | None = None, window: float = 60.0, serial: str | None = None
) -> NewEvent:
    keys = (DedupeKey(key, window),) if key else ()
    return NewEvent("test", "test.event", f"subject-{number}", b"{}", keys, serial, runs=(("toy.run", "io"),))


def run_of(new: NewEvent) -> str:
    return new.run_ids()[0][0]


def leased(inbox: Inbox, run_id: str, owner: str = "w") -> Lease:
    lease = inbox.lease(run_id, owner, TTL)
    assert isinstance(lease, Lease)
    return lease


def test_a_second_delivery_within_the_window_is_recognised_and_later_it_is_new(
    inbox: Inbox, clock: Clock
) -> None:
    first = inbox.put(event(key="k"))
    assert inbox.put(event(key="k")).event_id == first.event_id
    assert inbox.put(event(key="k")).duplicate
    clock.advance(61)
    again = inbox.put(event(key="k"))
    assert not again.duplicate
    assert again.event_id != first.event_id
    assert len(inbox.recent()) == 2


def test_duplicates_within_one_batch_are_recognised(inbox: Inbox) -> None:
    receipts = inbox.put_many([event(key="a"), event(key="a"), event(key="b")])
    assert [r.duplicate for r in receipts] == [False, True, False]
    assert len(inbox.runs()) == 2


def test_an_event_with_any_known_key_is_a_duplicate(inbox: Inbox) -> None:
    """Slack tells of one message as app_mention and as message: two ids, one channel and ts."""
    mention = replace(event(), dedupe=(DedupeKey("id:1"), DedupeKey("C1:100.1")))
    message = replace(event(), dedupe=(DedupeKey("id:2"), DedupeKey("C1:100.1")))
    first = inbox.put(mention)
    second = inbox.put(message)
    assert second.duplicate
    assert second.event_id == first.event_id


def test_only_one_of_many_workers_gets_a_run(inbox: Inbox) -> None:
    new = event()
    inbox.put(new)
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda n: inbox.lease(run_of(new), f"w{n}", TTL), range(8)))
    assert sum(isinstance(lease, Lease) for lease in got) == 1


def test_a_dead_workers_run_becomes_due_and_its_late_finish_changes_nothing(
    inbox: Inbox, clock: Clock
) -> None:
    new = event()
    inbox.put(new)
    dead = leased(inbox, run_of(new), "dead")
    assert inbox.due() == []
    clock.advance(31)
    assert [due.run_id for due in inbox.due()] == [run_of(new)]
    alive = leased(inbox, run_of(new), "alive")
    assert alive.attempt == 2
    inbox.dead(dead, "late word of a worker thought dead")
    assert inbox.open_counts()["leased"] == 1
    inbox.done(alive)
    assert inbox.counts(clock() - timedelta(days=1)) == {"pending": 0, "leased": 0, "done": 1, "dead": 0}


def test_runs_with_one_serial_key_never_overlap_and_the_next_is_woken(inbox: Inbox) -> None:
    one, two = event(1, serial="group"), event(2, serial="group")
    inbox.put_many([one, two])
    first = leased(inbox, run_of(one), "a")
    assert isinstance(inbox.lease(run_of(two), "b", TTL), Busy)
    assert [due.run_id for due in inbox.done(first)] == [run_of(two)]
    assert leased(inbox, run_of(two), "b").attempt == 1


def test_serial_keys_hold_under_concurrency(inbox: Inbox) -> None:
    new = [event(n, serial="one") for n in range(12)]
    inbox.put_many(new)
    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(lambda e: inbox.lease(run_of(e), e.subject, TTL), new))
    assert sum(isinstance(lease, Lease) for lease in got) == 1


def test_a_retry_waits_for_its_time_and_a_throttled_one_costs_no_attempt(inbox: Inbox, clock: Clock) -> None:
    new = event()
    inbox.put(new)
    lease = leased(inbox, run_of(new))
    inbox.retry(lease, clock.now + timedelta(seconds=10), "busy", count_attempt=False)
    assert inbox.lease(run_of(new), "w", TTL) is None
    clock.advance(11)
    assert leased(inbox, run_of(new)).attempt == 1


def test_a_dead_letter_is_listed_and_replayed_once(inbox: Inbox) -> None:
    new = event()
    inbox.put(new)
    inbox.dead(leased(inbox, run_of(new)), "no such ticket")
    [letter] = inbox.runs(status="dead")
    assert letter.error == "no such ticket"
    assert inbox.replay(letter.id).run_id == run_of(new)
    assert leased(inbox, run_of(new)).attempt == 1
    with pytest.raises(Permanent, match="not a dead letter"):
        inbox.replay(letter.id)


def test_an_unreadable_delivery_goes_straight_to_the_dead_letters(inbox: Inbox) -> None:
    inbox.put(replace(event(), dead="The body is not JSON."))
    [letter] = inbox.runs(status="dead")
    assert letter.error == "The body is not JSON."


def test_an_event_is_found_by_the_unique_beginning_of_its_id(inbox: Inbox) -> None:
    new = event()
    inbox.put(new)
    found, body = inbox.event(new.id[:20])
    assert (found.id, body) == (new.id, b"{}")
    with pytest.raises(Permanent, match="not the id"):
        inbox.event("zzz")


def test_a_wildcard_in_an_id_is_only_text(inbox: Inbox) -> None:
    inbox.put(event())
    with pytest.raises(Permanent):
        inbox.event("%")


async def test_concurrent_deliveries_share_commits_and_all_are_stored(inbox: Inbox) -> None:
    commit = GroupCommit(inbox)
    receipts = await asyncio.gather(*(commit.put(event(n, key=f"k{n % 150}")) for n in range(300)))
    await commit.close()
    assert sum(not r.duplicate for r in receipts) == 150
    assert len(inbox.runs(limit=1000)) == 150


async def test_a_refused_commit_reaches_every_caller(db: Database) -> None:
    class Refusing(Inbox):
        def put_many(self, new: object) -> list[object]:  # type: ignore[override]
            raise OSError("disk full")

    commit = GroupCommit(Refusing(db))
    results = await asyncio.gather(commit.put(event(1)), commit.put(event(2)), return_exceptions=True)
    await commit.close()
    assert [type(r) for r in results] == [OSError, OSError]
