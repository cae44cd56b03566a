"""No query of the inbox reads a whole table: each has an index, on both databases, whatever the planner prefers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from bot.core import retention
from bot.core.database import Database
from bot.core.events import NewEvent
from bot.core.inbox import Inbox, Lease
from bot.core.settings import RetentionSettings

pytestmark = pytest.mark.integration
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TABLES = ("events", "runs", "steps", "dedupe", "serials")


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    made.migrate()
    yield made
    made.close()


def put(inbox: Inbox, number: int) -> str:
    new = NewEvent("test", "test.event", f"s-{number}", b"{}", serial="one", runs=(("toy.run", "io"),))
    inbox.put(new)
    return new.id


def work(inbox: Inbox) -> None:
    put(inbox, 1)
    [run] = inbox.runs(status="pending", limit=1)
    lease = inbox.lease(run.id, "w", DAY)
    assert isinstance(lease, Lease)
    inbox.done(lease)


QUERIES: dict[str, Callable[[Database, Inbox], object]] = {
    "take in": lambda _, inbox: put(inbox, 1),
    "lease and finish": lambda _, inbox: work(inbox),
    "due": lambda _, inbox: inbox.due(),
    "due in a queue": lambda _, inbox: inbox.due(queues=["io"]),
    "oldest that waits": lambda _, inbox: inbox.oldest_pending_seconds(),
    "backlog": lambda _, inbox: inbox.backlog(100),
    "counts": lambda _, inbox: inbox.counts(NOW - DAY),
    "events by kind": lambda _, inbox: inbox.event_counts(NOW - DAY, NOW),
    "dead letters of a day": lambda _, inbox: inbox.dead_count(NOW - DAY, NOW),
    "newest events": lambda _, inbox: inbox.recent(),
    "newest runs": lambda _, inbox: inbox.runs(),
    "dead letters": lambda _, inbox: inbox.runs(status="dead"),
    "runs of an event": lambda _, inbox: inbox.runs(event_id=put(inbox, 2)),
    "an event": lambda _, inbox: inbox.event(put(inbox, 3)[:20]),
    "prune": lambda db, _: retention.prune(db, RetentionSettings(), NOW + 365 * DAY),
    "forget keys": lambda _, inbox: inbox.forget_expired_keys(),
}


def test_every_query_of_the_inbox_has_an_index(db: Database) -> None:
    asked: list[str] = []
    ran: list[tuple[str, str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _x: Any, many: bool) -> None:
        if not many and statement.startswith(("SELECT", "UPDATE", "DELETE")):
            ran.append((asked[-1], statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    for what, query in QUERIES.items():
        asked.append(what)
        query(db, Inbox(db, lambda: NOW))
    event.remove(db.engine, "before_cursor_execute", note)
    assert {seen for seen, _, _ in ran} >= QUERIES.keys() - {"take in"}
    with db.read() as tx:
        whole = [(name, step, sql) for name, sql, values in ran for step in read_whole(tx, sql, values)]
    assert whole == []


def read_whole(tx: Any, query: str, values: Any) -> list[str]:
    """Steps of the plan that read all rows of a table without an index."""
    if tx.dialect.name == "postgresql":
        # A small table is read faster without one; the question is whether there is one.
        tx.execute(text("SET LOCAL enable_seqscan TO off"))
        plan = [row[0] for row in tx.exec_driver_sql(f"EXPLAIN {query}", values)]
        return [step for step in plan if "Seq Scan on" in step]
    plan = [row[3] for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values)]
    return [step for step in plan if step.removeprefix("SCAN ") in TABLES]
