"""A million events wait: what is worked off meanwhile, and what people notice of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from benchmarks import deliveries
from benchmarks.http_load import Generator, Load
from benchmarks.load import PARTS, Sampled, done, fifths, people, sampling
from benchmarks.processes import plugin_path, scratch, wait_until
from benchmarks.product import Product
from benchmarks.report import Aim, Progress, Section, ms, quantile
from bot.core.database import Database
from bot.core.events import utc_now
from bot.core.tables import microseconds

SECONDS = 40
WEBHOOKS_A_SECOND = 20
SLOWEST = 1.0
LEAST = 0.8
"""Of what is worked off with few that wait."""
_BODY = b'{"number": 1, "kind": "deploy.finished", "text": "' + b"x" * 600 + b'"}'
_EVENTS = """
INSERT INTO events (id, source, kind, subject, actor, body, received_at)
WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :count)
SELECT printf('%032x', n), 'generic', 'generic.bench', 'w-' || n, '', :body, :now + n FROM s
"""
_RUNS = """
INSERT INTO runs (id, event_id, handler, queue, status, attempts, due_at)
WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :count)
SELECT printf('%032x-0', n), printf('%032x', n), 'bench.note', 'io', 'pending', 0, :now + n FROM s
"""


@dataclass(frozen=True)
class Seen:
    finished: float
    """Events worked off a second."""
    arrivals: Load
    sampled: Sampled


def run(progress: Progress, *, quick: bool = False) -> Section:
    sizes, seconds = ((2_000, 20_000), 4) if quick else ((30_000, 1_000_000), SECONDS)
    few, many = (_measured(progress, size, seconds) for size in sizes)
    both = (few, many)
    slowest = quantile(many.sampled.waits, 0.99)
    rows = [
        ("worked off a second", *(f"{x.finished:,.0f}" for x in both)),
        *((f"command to answer, {name}", *(ms(quantile(x.sampled.waits, part)) for x in both)) for name, part in PARTS),
        *((f"answer to a webhook, {name}", *(ms(quantile(x.arrivals.latencies, part)) for x in both)) for name, part in PARTS),
        ("webhooks taken (202)", *(f"{x.arrivals.statuses.get(202, 0):,}" for x in both)),
        ("told to come back (429)", *(f"{x.arrivals.statuses.get(429, 0):,}" for x in both)),
        ("memory, by fifths of the time", *(f"{fifths(x.sampled.memory)} MiB" for x in both)),
    ]  # fmt: skip
    odd = {status for x in both for status in x.arrivals.statuses} - {202, 429}
    return Section(
        "backlog",
        "A million events wait",
        ("", *(f"{size:,} wait at the start" for size in sizes)),
        rows,
        (
            Aim("worked off with a million waiting, of what it is with few", f"≥ {LEAST:.0%}",
                f"{many.finished / few.finished:.0%}", many.finished >= LEAST * few.finished),
            Aim("command to answer while a million wait, p99", f"< {ms(SLOWEST)}", ms(slowest), slowest < SLOWEST),
            Aim("answers other than 202 and 429", "none", str(sorted(odd) or "none"), not odd),
        ),
        (
            (
                f"Everything of `signalbox up` on SQLite, started with events that no task in Redis stands for, as after "
                f"Redis lost its data; looked at for {seconds} s, beside {WEBHOOKS_A_SECOND} webhooks a second, a command "
                "each second and a ticket every five."
            ),
            "With more waiting than `limits.backlog` (200,000) webhooks are sent away before they are stored; people are not.",
        ),
    )  # fmt: skip


def _measured(progress: Progress, waiting: int, seconds: int) -> Seen:
    progress(f"{waiting:,} events wait")
    with scratch() as folder:
        data = folder / "data"
        data.mkdir(mode=0o700)
        db = _seeded(data, waiting)
        env = {"PYTHONPATH": plugin_path(folder), **deliveries.GENERIC_ENV}
        try:
            with Product(data).up(env) as product, Generator() as generator:
                wait_until(lambda: done(db) > 0, "the first that is done")
                progress(f"{waiting:,} wait: {seconds} s of traffic")
                return _traffic(product, db, generator, seconds)
        finally:
            db.close()


def _traffic(product: Product, db: Database, generator: Generator, seconds: int) -> Seen:
    seen = Sampled()
    requests = deliveries.generic(WEBHOOKS_A_SECOND * seconds)
    with people(product, seen), sampling(db, seen):
        before, started = done(db), time.monotonic()
        arrivals = generator.load(product.port, requests, 8, WEBHOOKS_A_SECOND)
        finished = (done(db) - before) / (time.monotonic() - started)
    return Seen(finished, arrivals, seen)


def _seeded(data: Path, waiting: int) -> Database:
    """The rows that so many webhooks leave behind, made by the database itself."""
    db = Database(f"sqlite:///{data / 'signalbox.db'}")
    db.migrate()
    now = microseconds(utc_now()) - waiting
    with db.write() as tx:
        tx.execute(text(_EVENTS), {"count": waiting, "body": _BODY, "now": now})
        tx.execute(text(_RUNS), {"count": waiting, "now": now})
    return db
