"""Growth of the inbox: what each of its queries takes with 10 thousand, a million and 10 million rows behind it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import get_args
from uuid import uuid4

from sqlalchemy import TextClause, text

from benchmarks.processes import postgres, scratch
from benchmarks.report import Aim, Progress, Section, ms
from bot.core import retention
from bot.core.database import Database
from bot.core.declare import Queue
from bot.core.events import NewEvent, utc_now
from bot.core.inbox import Inbox, Lease
from bot.core.settings import RetentionSettings
from bot.core.tables import microseconds

DAYS = 120
"""Days over which what is finished is spread; a quarter of it is old enough to be forgotten."""
MOST = 0.25
"""Seconds that a query may take, however many rows there are."""
REPEATS = 7
_TTL = timedelta(minutes=5)
_SERIES = {
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM s WHERE n < {last}) ",
    "postgresql": "WITH s(n) AS (SELECT generate_series({first}::bigint, {last})) ",
}
_ID = {"sqlite": "printf('%032x', n)", "postgresql": "lpad(to_hex(n), 32, '0')"}
_BODY = {"sqlite": "zeroblob(200)", "postgresql": "decode(repeat('00', 200), 'hex')"}
Queries = Mapping[str, Callable[[], object]]


def run(progress: Progress, *, quick: bool = False) -> Section:
    sizes = (1_000, 10_000) if quick else (10_000, 1_000_000, 10_000_000)
    backlog = 1_000 if quick else 1_000_000
    taken: dict[str, dict[str, float]] = {}
    columns = []
    for name, database in (("SQLite", _sqlite), ("PostgreSQL", _postgresql)):
        with database() as db:
            if db is None:
                continue
            filled = 0
            for size in sizes:
                progress(f"{name}: {size:,} events")
                _fill(db, filled, size, "done")
                filled = size
                columns.append(f"{name}, {size:,}")
                taken[columns[-1]] = _measured(db)
            progress(f"{name}: {backlog:,} of them wait")
            _fill(db, filled, filled + backlog, "pending")
            columns.append(f"{name}, {backlog:,} more that wait")
            taken[columns[-1]] = _measured(db)
    rows = [(what, *(ms(taken[column][what]) for column in columns)) for what in taken[columns[0]]]
    slowest = max((seconds, what, where) for where, found in taken.items() for what, seconds in found.items())
    return Section(
        "inbox_growth",
        "The inbox with millions of rows",
        ("query", *columns),
        rows,
        (
            Aim(
                "slowest query of the inbox",
                f"< {ms(MOST)}",
                f"{ms(slowest[0])} ({slowest[1]}; {slowest[2]})",
                slowest[0] < MOST,
            ),
        ),
        (
            (
                f"Median of {REPEATS}. Finished events with a run and a step each, spread over {DAYS} days, one in a "
                "thousand a dead letter; then some that wait, a tenth of them for the same hundred subjects."
            ),
            (
                "Pruning takes the oldest 500 by an index, at any size; partitions by day would save these deletes "
                "and nothing else, at the price of every key having the day in it. So there are none."
            ),
        ),
    )


@contextmanager
def _sqlite() -> Iterator[Database | None]:
    with scratch() as folder:
        yield from _opened(f"sqlite:///{folder / 'growth.db'}")


@contextmanager
def _postgresql() -> Iterator[Database | None]:
    with postgres() as url:
        if url is None:
            yield None
        else:
            yield from _opened(url.replace("postgresql://", "postgresql+psycopg://"))


def _opened(url: str) -> Iterator[Database]:
    db = Database(url)
    db.migrate()
    try:
        yield db
    finally:
        db.close()


def _fill(db: Database, first: int, last: int, status: str) -> None:
    """Rows as the product writes them, made by the database itself."""
    if last <= first:
        return
    dialect = db.engine.dialect.name
    now = microseconds(utc_now())
    series = _SERIES[dialect].format(first=first + 1, last=last)
    span = DAYS * 86_400_000_000
    at = (
        f"{now - span} + (n - {first}) * {span // (last - first)}"
        if status == "done"
        else f"{now} - {last} + n"
    )
    serial = "CASE WHEN n % 10 = 0 THEN 'bench:' || (n % 1000) END"
    event = f"{_ID[dialect]}, 'generic', 'bench.event', 'subject-' || n, '', {serial}, {_BODY[dialect]}, {at}"
    run_status = "CASE WHEN n % 1000 = 0 THEN 'dead' ELSE 'done' END" if status == "done" else "'pending'"
    finished = at if status == "done" else "NULL"
    run = (
        f"{_ID[dialect]} || '-1', {_ID[dialect]}, 'bench.note', 'io', {run_status}, 1, {at}, "
        f"{serial}, {finished}"
    )
    step = f"{_ID[dialect]}, 'bench.note/touch', 'done', 'touch', {at}, {at}"
    with db.write() as tx:
        columns = "id, source, kind, subject, actor, serial, body, received_at"
        tx.execute(_insert("events", columns, series, event))
        columns = "id, event_id, handler, queue, status, attempts, due_at, serial, finished_at"
        tx.execute(_insert("runs", columns, series, run))
        if status == "done":
            columns = "event_id, name, status, call, started_at, finished_at"
            tx.execute(_insert("steps", columns, series, step))
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # What PostgreSQL's autovacuum does in time.
        connection.execute(text("ANALYZE" if dialect == "sqlite" else "VACUUM ANALYZE"))


def _insert(table: str, columns: str, series: str, values: str) -> TextClause:
    return text(f"INSERT INTO {table} ({columns}) {series} SELECT {values} FROM s")  # noqa: S608  # all of it stands above


def _measured(db: Database) -> dict[str, float]:
    now = utc_now()
    return {what: _median(query) for what, query in _queries(db, Inbox(db), now).items()}


def _queries(db: Database, inbox: Inbox, now: datetime) -> Queries:
    settings = RetentionSettings()
    known = inbox.put(_event()).event_id
    return {
        "take in an event": lambda: inbox.put(_event()),
        "lease and finish a run": lambda: _work(inbox, ""),
        "lease and finish one of a busy subject": lambda: _work(inbox, "bench:10"),
        "runs that are due in each of four queues": lambda: inbox.due(queues=get_args(Queue)),
        "oldest that waits": inbox.oldest_pending_seconds,
        "runs that wait, are worked on, are dead": inbox.open_counts,
        "runs done in a day": lambda: inbox.counts(now - timedelta(days=1)),
        "newest events": inbox.recent,
        "newest runs": inbox.runs,
        "newest dead letters": lambda: inbox.runs(status="dead"),
        "an event by its id's beginning": lambda: inbox.event(known[:20]),
        "events by kind in a day": lambda: inbox.event_counts(now - timedelta(days=1)),
        "prune 500 events": lambda: retention.prune(db, settings, now),
        "forget keys": inbox.forget_expired_keys,
    }


def _event(serial: str | None = None) -> NewEvent:
    return NewEvent(
        source="generic",
        kind="bench.event",
        subject="s",
        body=b"{}",
        serial=serial,
        runs=(("bench.note", "io"),),
    )


def _work(inbox: Inbox, serial: str) -> None:
    event = _event(serial or None)
    inbox.put(event)
    [(run_id, _)] = event.run_ids()
    lease = inbox.lease(run_id, uuid4().hex, _TTL)
    if isinstance(lease, Lease):  # else somebody of the same subject is first
        inbox.done(lease)


def _median(query: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        query()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
