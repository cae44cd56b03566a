"""The whole product: how long until a command's answer is on the page, and how many events a second."""

from __future__ import annotations

import queue
import time
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from benchmarks import deliveries
from benchmarks.http_load import Generator
from benchmarks.processes import plugin_path, scratch, wait_until
from benchmarks.product import Product
from benchmarks.report import Aim, Progress, Section, ms, quantile
from bot.core.database import Database
from bot.core.tables import runs, steps

ALICE, CHANNEL = "U0SBALICE", "C0GENERAL"
WARM_UP = 10
CONNECTIONS = 32


def run(progress: Progress, *, quick: bool = False) -> Section:
    commands, burst = (20, 200) if quick else (200, 2_000)
    with scratch() as folder:
        env = {"PYTHONPATH": plugin_path(folder), **deliveries.GENERIC_ENV}
        progress("starting `signalbox up`")
        with Product(folder / "data").up(env) as product:
            progress(f"{commands} commands, one at a time")
            waits = _commands(product, commands)
            progress(f"a burst of {burst} webhooks")
            accepted, finished = _burst(product, burst)
    p50 = quantile(waits, 0.5)
    return Section(
        "answer",
        "The whole product: command to answer, event to recorded step",
        ("what", "count", "p50", "p95", "slowest", "per second"),
        [
            (
                "`/signalbox ping` to its answer on the page",
                commands,
                ms(p50),
                ms(quantile(waits, 0.95)),
                ms(max(waits)),
                "",
            ),
            ("burst accepted by the web process", burst, "", "", "", f"{accepted:,.0f}"),
            ("burst through inbox, Celery, plugin, recorded step", burst, "", "", "", f"{finished:,.0f}"),
        ],
        (
            Aim("command to visible answer, p50", "< 150 ms", ms(p50), p50 < 0.15),
            Aim("events/s to a recorded step", "", f"{finished:,.0f}"),
        ),
        (
            (
                "Everything of `signalbox up` runs here: web, Redis, five worker processes, scheduler, SQLite, "
                "sandbox; and so do the clients."
            ),
            (
                "The answer's time runs from typing in the sandbox (which signs and delivers as Slack does) to "
                "the message in the event stream that the page follows."
            ),
            (
                "Events/s: from the first row received to the last run finished, by the rows' own times. Each "
                "event is leased, handled with one recorded step, and finished: four synced commits of its own. "
                "A third of a worker's time goes into waiting for SQLite's single write lock (py-spy)."
            ),
        ),
    )


def _commands(product: Product, count: int) -> list[float]:
    with product.watched() as seen:
        waits = [_ask(product, seen) for _ in range(WARM_UP + count)]
    return waits[WARM_UP:]


def _ask(product: Product, seen: queue.Queue[tuple[float, dict[str, Any]]]) -> float:
    started = time.perf_counter()
    product.say(ALICE, "/signalbox ping", CHANNEL)
    while True:
        at, change = seen.get(timeout=30)
        if change.get("ephemeral_for") == ALICE:
            return at - started


def _burst(product: Product, count: int) -> tuple[float, float]:
    """Webhooks accepted a second, and events a second until the last one's run is finished."""
    db = Database(f"sqlite:///{product.data / 'signalbox.db'}")
    with Generator() as generator:
        load = generator.load(product.port, deliveries.generic(count), CONNECTIONS)
    if set(load.statuses) != {202}:
        raise RuntimeError(f"The web process answered {load.statuses}; only 202 counts as accepted.")
    wait_until(lambda: _finished(db) == count, "the end of the burst", 300)
    seconds = _span(db)
    db.close()
    return load.per_second, count / seconds


_OURS = runs.c.handler == "bench.note"


def _finished(db: Database) -> int:
    time.sleep(0.2)  # looking costs the product time
    done = select(func.count()).select_from(runs).where(_OURS, runs.c.status == "done")
    with db.read() as tx:
        return tx.execute(done).scalar_one()


def _span(db: Database) -> float:
    """From the first run's arrival to the last one's end; every run must have recorded its step."""
    first, last, count = func.min(runs.c.due_at), func.max(runs.c.finished_at), func.count()
    recorded = select(func.count()).where(steps.c.name == "bench.note/touch", steps.c.status == "done")
    with db.read() as tx:
        began, ended, ran = tx.execute(select(first, last, count).where(_OURS)).one()
        if tx.execute(recorded).scalar_one() != ran:
            raise RuntimeError("Some runs have no recorded step; the benchmark would measure nothing.")
    return (_time(ended) - _time(began)).total_seconds()


def _time(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)
