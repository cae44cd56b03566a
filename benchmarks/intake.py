"""Durable webhook intake over HTTP, beside a bare FastAPI endpoint that stores nothing."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from benchmarks import deliveries
from benchmarks.http_load import Generator, Load
from benchmarks.processes import (
    ROOT,
    free_port,
    plugin_path,
    port_open,
    postgres,
    python,
    redis,
    running,
    scratch,
    wait_until,
)
from benchmarks.report import Aim, Progress, Section, ms, quantile

CONNECTIONS = 64
ROUNDS = 5
BARE, SQLITE, POSTGRES = "bare FastAPI, nothing stored", "Signalbox, SQLite", "Signalbox, PostgreSQL"


class Target:
    """A server under load; each request it gets is a new delivery."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port
        self.rates: list[float] = []
        self.full: list[float] = []
        self.half: list[float] = []
        self._sent = count()

    def peak(self, generator: Generator, requests: int) -> None:
        load = self._load(generator, requests, None)
        self.rates.append(load.per_second)
        self.full += load.latencies

    def half_peak(self, generator: Generator, requests: int) -> None:
        self.half += self._load(generator, requests, self.rate / 2).latencies

    def _load(self, generator: Generator, requests: int, rate: float | None) -> Load:
        prepared = deliveries.generic(requests, next(self._sent) * requests)
        load = generator.load(self.port, prepared, CONNECTIONS, rate)
        if set(load.statuses) != {202}:
            raise RuntimeError(f"{self.name} answered {load.statuses}; only 202 counts as accepted.")
        return load

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)


def run(progress: Progress, *, quick: bool = False) -> Section:
    requests, rounds = (1_000, 2) if quick else (10_000, ROUNDS)
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        targets = list(_targets(stack, folder))
        generator = stack.enter_context(Generator())
        for target in targets:
            target._load(generator, requests // 5, None)  # noqa: SLF001  # warm-up, not counted
        for number in range(rounds):
            for target in targets:
                progress(f"round {number + 1} of {rounds}: {target.name}")
                target.peak(generator, requests)
        for target in targets:
            progress(f"half the peak: {target.name}")
            target.half_peak(generator, requests)
    return _section({target.name: target for target in targets})


def _targets(stack: ExitStack, folder: Path) -> Iterator[Target]:
    redis_url = stack.enter_context(redis(folder))
    yield Target(BARE, stack.enter_context(_bare(folder)))
    path = plugin_path(folder)
    yield Target(SQLITE, stack.enter_context(web(folder / "sqlite", redis_url, path)))
    if database := stack.enter_context(postgres()):
        port = stack.enter_context(web(folder / "postgres", redis_url, path, database))
        yield Target(POSTGRES, port)


@contextmanager
def _bare(folder: Path) -> Iterator[int]:
    port = free_port()
    with running(python("-m", "benchmarks.bare_endpoint", str(port)), folder, {"PYTHONPATH": str(ROOT)}):
        wait_until(lambda: port_open(port), "the bare endpoint")
        yield port


@contextmanager
def web(folder: Path, redis_url: str, path: str, database: str = "") -> Iterator[int]:
    """`signalbox web` as `signalbox up` starts it, without workers."""
    port = free_port()
    (folder / "metrics").mkdir(parents=True)
    env = {
        "PYTHONPATH": path,
        "SIGNALBOX_DATA_DIR": str(folder),
        "SIGNALBOX_SECRET_KEY": "k" * 32,
        "SIGNALBOX_WEB__PORT": str(port),
        "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
        "REDIS_URL": redis_url,
        "DATABASE_URL": database,
        **deliveries.GENERIC_ENV,
    }
    with running(python("-m", "bot", "web"), folder, env):
        wait_until(lambda: port_open(port), "the web process")
        yield port


def _section(targets: dict[str, Target]) -> Section:
    bare, sqlite = targets[BARE], targets[SQLITE]
    half = quantile(sqlite.half, 0.99)
    ratio = sqlite.rate / bare.rate
    aims = [
        Aim("deliveries/s, SQLite", "", f"{sqlite.rate:,.0f}"),
        Aim("SQLite beside the bare endpoint", "≥ 0.7", f"{ratio:.2f}", ratio >= 0.7),
        Aim("ack p99 at half the peak, SQLite", "< 25 ms", ms(half), half < 0.025),
    ]
    if POSTGRES in targets:
        other = targets[POSTGRES]
        half = quantile(other.half, 0.99)
        ratio = other.rate / bare.rate
        aims += [
            Aim("PostgreSQL beside the bare endpoint", "≥ 0.7", f"{ratio:.2f}", ratio >= 0.7),
            Aim("ack p99 at half the peak, PostgreSQL", "< 25 ms", ms(half), half < 0.025),
        ]
    missing = () if POSTGRES in targets else ("PostgreSQL was not measured: no server is installed here.",)
    return Section(
        "intake",
        "Intake: signed webhooks over HTTP, committed before the answer",
        ("server", "deliveries/s", "ratio", "p50", "p99", "half the peak: p50", "p99"),
        [_row(target, bare) for target in targets.values()],
        aims,
        (
            (
                f"{CONNECTIONS} keep-alive connections from a load generator in its own process; every delivery has "
                "its own id and an HMAC signature. One web process; the same uvicorn settings for all."
            ),
            (
                "Signalbox verifies, deduplicates, commits to disk (SQLite `synchronous=FULL`, PostgreSQL's "
                "default), answers, and hands a run to Redis for each. No worker takes them meanwhile."
            ),
            (
                f"Deliveries/s: median of rounds that take turns ({', '.join(f'{r:,.0f}' for r in sqlite.rates)} "
                "with SQLite). Half the peak is open-loop: latency counts from the planned time of sending."
            ),
            (
                "What the ratio is made of: Signalbox's event loop, the commit and the hand-over to Celery run in "
                "threads of one process, so they share one interpreter lock; a delivery costs them about 135, 60 "
                "and 55 µs of processor time under load (`time.thread_time`), the bare endpoint about 80 µs in all."
            ),
            *missing,
        ),
    )


def _row(target: Target, bare: Target) -> tuple[str, ...]:
    shown = [ms(quantile(values, q)) for values in (target.full, target.half) for q in (0.5, 0.99)]
    return (target.name, f"{target.rate:,.0f}", f"{target.rate / bare.rate:.2f}", *shown)
