"""Sustained mixed traffic below, near and above what the product can work off; more workers."""

from __future__ import annotations

import itertools
import os
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil
from sqlalchemy import func, select

from benchmarks import deliveries
from benchmarks.http_load import Generator, Load
from benchmarks.processes import plugin_path, scratch, wait_until
from benchmarks.product import Product
from benchmarks.report import Aim, Progress, Section, ms, quantile
from bot.core.database import Database
from bot.core.inbox import Inbox
from bot.core.tables import runs

ALICE, CHANNEL, HELPDESK = "U0SBALICE", "C0GENERAL", "mia"
SHARES = (0.5, 0.9, 1.2)
MINUTES = 10.0
"""Of traffic in all; SIGNALBOX_BENCH_MINUTES changes it."""
CONNECTIONS = 32
BACKLOG_SECONDS = 20
"""As much work as that may wait before senders are told to come back."""
SECONDS_BETWEEN_COMMANDS, SECONDS_BETWEEN_TICKETS = 1.0, 5.0
WORKERS = (1, 2, 4)
PARTS = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
MEBIBYTE = 2**20
_OURS = runs.c.handler == "bench.note"
_NOTE_MINUTES = "SIGNALBOX_BENCH_MINUTES"


@dataclass
class Sampled:
    """What was seen once a second while the traffic ran."""

    ages: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Level:
    share: float
    rate: float
    load: Load
    seen: Sampled
    finished: float
    """Webhooks worked off a second while the traffic ran."""
    drain: float
    """Seconds until nothing waited any more."""
    lost: int
    """Accepted webhooks that were not done in the end."""


def run(progress: Progress, *, quick: bool = False) -> Section:
    burst = 600 if quick else 6_000
    minutes = 0.25 if quick else float(os.environ.get(_NOTE_MINUTES, MINUTES))  # noqa: TID251  # no setting of the product
    grown = {count: _burst(progress, count, burst) for count in WORKERS}
    capacity = _capacity(progress, grown[2], 10.0 if quick else 60.0)
    limit = str(round(capacity * BACKLOG_SECONDS))
    levels = []
    for share in SHARES:
        progress(f"{share:.0%} of capacity, {capacity * share:,.0f}/s for {minutes * 60 / len(SHARES):.0f} s")
        levels.append(_level(share, capacity, minutes * 60 / len(SHARES), limit))
    return Section(
        "load",
        "Sustained mixed traffic at 50, 90 and 120 % of capacity",
        ("", *(f"{level.share:.0%} of {capacity:,.0f}/s" for level in levels)),
        [*_rows(levels), *_growth(grown)],
        _aims(levels, capacity),
        (
            (
                f"Everything of `signalbox up` on SQLite, two worker processes a queue; {minutes / len(SHARES):.1f} minutes "
                "a level, open-loop: latency counts from the planned time of sending. The load generator and the "
                "sandbox share the machine."
            ),
            (
                "Capacity: webhooks a second to a recorded step while more come than can be done, people and "
                f"tickets beside them. In the last rows: a burst of {burst:,}, worked off while nothing comes. A "
                f"person's command comes every {SECONDS_BETWEEN_COMMANDS:g} s, its time runs to the answer on the "
                f"page; and a ticket every {SECONDS_BETWEEN_TICKETS:g} s, which is tagged, told in Slack and labelled "
                "in Jira."
            ),
            (
                f"`limits.backlog` is {limit} here, what is worked off in {BACKLOG_SECONDS} s (the default is "
                "200,000), so that the limit is reached within the run."
            ),
        ),
    )


def _rows(levels: Sequence[Level]) -> Iterator[tuple[object, ...]]:
    def row(what: str, *values: object) -> tuple[object, ...]:
        return (what, *values)

    yield row("sent a second", *(f"{level.rate:,.0f}" for level in levels))
    yield row("taken (202)", *(f"{level.load.statuses.get(202, 0):,}" for level in levels))
    yield row("told to come back (429)", *(f"{level.load.statuses.get(429, 0):,}" for level in levels))
    yield row("worked off a second", *(f"{level.finished:,.0f}" for level in levels))
    for name, part in PARTS:
        yield row(f"answer to the sender, {name}", *(ms(quantile(x.load.latencies, part)) for x in levels))
    for name, part in PARTS:
        yield row(f"command to answer, {name}", *(ms(quantile(level.seen.waits, part)) for level in levels))
    yield row("oldest that waited, by fifths of the time", *(f"{fifths(x.seen.ages, 1)} s" for x in levels))
    yield row("oldest that waited, at most", *(f"{max(level.seen.ages):.1f} s" for level in levels))
    yield row("until nothing waited afterwards", *(f"{level.drain:.1f} s" for level in levels))
    yield row("taken and not done", *(level.lost for level in levels))
    yield row("memory, by fifths of the time", *(f"{fifths(x.seen.memory)} MiB" for x in levels))


def fifths(seen: Sequence[float], digits: int = 0) -> str:
    """Means over the fifths of the time, in their order."""
    ends = [len(seen) * part // 5 for part in range(6)]
    spans = [seen[first:last] for first, last in itertools.pairwise(ends)]
    return " · ".join(f"{sum(span) / len(span):,.{digits}f}" for span in spans if span)


def _growth(grown: dict[int, float]) -> Iterator[tuple[object, ...]]:
    for count, capacity in grown.items():
        yield (
            f"webhooks/s of a burst with {count} worker processes",
            f"{capacity:,.0f}",
            *[""] * (len(SHARES) - 1),
        )


def _aims(levels: Sequence[Level], capacity: float) -> tuple[Aim, ...]:
    calm, over = levels[:-1], levels[-1]
    shed = over.load.statuses.get(429, 0)
    odd = {status for level in levels for status in level.load.statuses} - {202, 429}
    slowest = max(quantile(level.load.latencies, 0.99) for level in calm)
    return (
        Aim("webhooks/s to a recorded step, beside people and tickets", "", f"{capacity:,.0f}"),
        Aim("accepted and not done", "0", str(sum(x.lost for x in levels)), not any(x.lost for x in levels)),
        Aim("answers other than 202 and 429", "none", str(sorted(odd) or "none"), not odd),
        Aim("sent away up to 90 %", "0", str(sum(x.load.statuses.get(429, 0) for x in calm)),
            not any(x.load.statuses.get(429, 0) for x in calm)),
        Aim("sent away at 120 %, before anything is stored", "> 0", f"{shed:,}", shed > 0),
        Aim("answer to the sender up to 90 %, p99", "< 100 ms", ms(slowest), slowest < 0.1),
        Aim("until nothing waits after 120 %", f"< {3 * BACKLOG_SECONDS} s", f"{over.drain:.1f} s",
            over.drain < 3 * BACKLOG_SECONDS),
    )  # fmt: skip


# -- measuring ---------------------------------------------------------------------------------------


@contextmanager
def _product(**settings: str) -> Iterator[tuple[Product, Database]]:
    with scratch() as folder:
        env = {"PYTHONPATH": plugin_path(folder), **deliveries.GENERIC_ENV, **settings}
        with Product(folder / "data").up(env) as product:
            db = Database(f"sqlite:///{product.data / 'signalbox.db'}")
            try:
                yield product, db
            finally:
                db.close()


def _capacity(progress: Progress, burst: float, seconds: float) -> float:
    """Webhooks worked off a second beside people, tickets and the taking in of more than can be done."""
    progress(f"capacity, {burst:,.0f}/s for {seconds:.0f} s")
    return _level(1.0, burst, seconds, str(round(burst * BACKLOG_SECONDS))).finished


def _burst(progress: Progress, workers: int, count: int) -> float:
    progress(f"a burst with {workers} worker processes")
    with _product(SIGNALBOX_WORKERS__IO=str(workers)) as (product, db), Generator() as generator:
        generator.load(product.port, deliveries.generic(count), CONNECTIONS)
        wait_until(lambda: done(db) == count, "the end of the burst", 300)
        first, last = func.min(runs.c.due_at), func.max(runs.c.finished_at)
        with db.read() as tx:
            began, ended = tx.execute(select(first, last).where(_OURS)).one()
    return count / float((ended - began).total_seconds())


def _level(share: float, capacity: float, seconds: float, limit: str) -> Level:
    rate = capacity * share
    with _product(SIGNALBOX_LIMITS__BACKLOG=limit) as (product, db), Generator() as generator:
        requests = deliveries.generic(round(rate * seconds))
        seen = Sampled()
        with people(product, seen), sampling(db, seen):
            load = generator.load(product.port, requests, CONNECTIONS, rate)
            finished = done(db) / load.seconds
        started = time.monotonic()
        taken = load.statuses.get(202, 0)
        wait_until(lambda: done(db) >= taken, "an empty inbox", 600)
        return Level(share, rate, load, seen, finished, time.monotonic() - started, taken - done(db))


def done(db: Database) -> int:
    time.sleep(0.2)  # looking costs the product time
    query = select(func.count()).select_from(runs).where(_OURS, runs.c.status == "done")
    with db.read() as tx:
        found: int = tx.execute(query).scalar_one()
    return found


@contextmanager
def people(product: Product, seen: Sampled) -> Iterator[None]:
    """Commands and tickets, as long as the block runs."""
    over = threading.Event()
    with product.watched() as changes:
        threads = [
            threading.Thread(target=_commands, args=(product, changes, seen, over)),
            threading.Thread(target=_tickets, args=(product, over)),
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()


def _commands(
    product: Product,
    changes: queue.Queue[tuple[float, dict[str, Any]]],
    seen: Sampled,
    over: threading.Event,
) -> None:
    while not over.wait(SECONDS_BETWEEN_COMMANDS):
        while not changes.empty():
            changes.get()
        started = time.perf_counter()
        product.say(ALICE, "/signalbox ping", CHANNEL)
        at, change = changes.get(timeout=60)
        while change.get("ephemeral_for") != ALICE:
            at, change = changes.get(timeout=60)
        seen.waits.append(at - started)


def _tickets(product: Product, over: threading.Event) -> None:
    number = 0
    while not over.wait(SECONDS_BETWEEN_TICKETS):
        number += 1
        body = {"user": HELPDESK, "summary": f"Refund, please, number {number}", "description": "Money back."}
        url = f"http://127.0.0.1:{product.sandbox_port}/page/jira/issues"
        product.http.post(url, json=body).raise_for_status()


@contextmanager
def sampling(db: Database, seen: Sampled) -> Iterator[None]:
    over = threading.Event()
    thread = threading.Thread(target=_sample, args=(Inbox(db), seen, over))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _sample(inbox: Inbox, seen: Sampled, over: threading.Event) -> None:
    """Queue age and memory of all that the benchmark started, but for the load generator."""
    generators = {child.pid for child in psutil.Process().children()[1:]}
    while not over.wait(1.0):
        seen.ages.append(inbox.oldest_pending_seconds())
        children = psutil.Process().children(recursive=True)
        known = [child for child in children if child.pid not in generators and child.is_running()]
        seen.memory.append(sum(child.memory_info().rss for child in known) / MEBIBYTE)
