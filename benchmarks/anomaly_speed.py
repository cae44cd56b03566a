"""Speed of both anomaly engines: samples a second and bytes of state, embedded from 1 k to 100 k series."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.processes import scratch
from benchmarks.report import Aim, Progress, Section
from ml.anomaly import landing, state
from ml.anomaly import spark as streaming
from ml.anomaly.book import Book, Samples, scored
from ml.spark import SparkUnavailableError, java_home, session

INTERVAL = 30.0
WARM, MEASURED = 3, 4
_BATCHES = 10


def run(progress: Progress, *, quick: bool = False) -> Section:
    sizes = (100, 1_000) if quick else (1_000, 10_000, 100_000)
    rows, seconds = [], {}
    for series in sizes:
        progress(f"{series} series")
        seconds[series] = _tick_seconds(series)
        rate = series / seconds[series]
        rows.append((f"{series:,}", f"{seconds[series]:.2f} s", f"{rate:,.0f}", f"{state.FIELDS.itemsize:,}"))
    rows.append(_spark_row(progress, 200 if quick else 1_000))
    most, least = max(sizes), min(sizes)
    growth = seconds[most] / seconds[least] / (most / least)
    return Section(
        "anomaly_speed",
        "Anomalies: speed of the two engines",
        ("series", "one sample of each", "samples/s", "bytes of state a series"),
        rows,
        (
            Aim(f"{most:,} series every 30 s", "< 30 s", f"{seconds[most]:.1f} s", seconds[most] < INTERVAL),
            Aim(
                f"growth from {least:,} to {most:,} series", "linear (≤ 1.5)", f"{growth:.2f}", growth <= 1.5
            ),
        ),
        (
            (
                "Embedded: processor time of one process on one core, all detectors, states in memory; the mean of "
                "four rounds after three."
            ),
            (
                "Spark: local[2], a file of one minute's samples of each series every batch, from Parquet to Parquet "
                "with checkpoints; start-up is left out, the first batch is not."
            ),
        ),
    )


def _spark_row(progress: Progress, series: int) -> tuple[str, ...]:
    """One run of Structured Streaming over what has landed, where there is a Java to run it."""
    label = f"{series:,} (Spark, two cores)"
    try:
        java_home()
    except SparkUnavailableError as exc:
        return (label, str(exc), "-", "-")
    progress("Spark")
    with scratch() as folder:
        for number in range(_BATCHES):
            at = 1_767_225_600.0 + 60 * number + np.array([0.0, INTERVAL])
            landing.write(folder / "landing", {f"s{n}": Samples(at, at % (n + 7)) for n in range(series)})
        spark = session("local[2]", "anomaly-speed", {"spark.sql.shuffle.partitions": "2"})
        try:
            started = time.perf_counter()
            streaming.stream(
                spark, folder / "landing", folder / "out", streaming.Scorer(), once=True
            ).awaitTermination()
            seconds = time.perf_counter() - started
        finally:
            spark.stop()
    samples = series * 2 * _BATCHES
    record = len(state.VERSION) + state.FIELDS.itemsize
    return (label, f"{seconds / samples * series:.2f} s", f"{samples / seconds:,.0f}", f"{record:,}")


def _tick_seconds(series: int) -> float:
    draw = np.random.default_rng(0)
    book, at, names = Book(), 1_767_225_600.0, [f"s{n}" for n in range(series)]
    started = 0.0
    for number in range(WARM + MEASURED):
        values = draw.normal(10, 1, series)
        now = np.array([at + INTERVAL * number])
        samples = {name: Samples(now, values[n : n + 1]) for n, name in enumerate(names)}
        if number == WARM:
            started = 0.0
        before = time.process_time()
        book, _ = scored(book, samples)
        started += time.process_time() - before
    return started / MEASURED
