"""Speed of both anomaly engines: samples a second and bytes of state, embedded from 1 k to 100 k series."""

from __future__ import annotations

import statistics
import time

import numpy as np

from benchmarks.processes import scratch
from benchmarks.report import Aim, Progress, Section
from ml.anomaly import book, landing, state
from ml.anomaly import spark as streaming
from ml.anomaly.book import Book, Samples, scored
from ml.spark import SparkUnavailableError, java_home, session

INTERVAL = 30.0
WARM, MEASURED = 3, 5
_BATCHES = 6


def run(progress: Progress, *, quick: bool = False) -> Section:
    sizes = (100, 1_000) if quick else (1_000, 10_000, 100_000)
    rows, seconds, stored = [], {}, {}
    for series in sizes:
        progress(f"{series} series")
        seconds[series], stored[series] = _tick_seconds(series)
        rate = series / seconds[series]
        rows.append(
            (
                f"{series:,}",
                f"{seconds[series]:.3f} s",
                f"{stored[series]:.3f} s",
                f"{rate:,.0f}",
                f"{state.FIELDS.itemsize:,}",
            )
        )
    rows += _spark_rows(progress, 200 if quick else 10_000)
    most, least = max(sizes), min(sizes)
    growth = seconds[most] / seconds[least] / (most / least)
    return Section(
        "anomaly_speed",
        "Anomalies: speed of the two engines",
        ("series", "one sample of each", "states read and written", "samples/s", "bytes of state a series"),
        rows,
        (
            Aim(
                f"{most:,} series every 30 s, their states read and written",
                "< 30 s",
                f"{seconds[most] + stored[most]:.1f} s",
                seconds[most] + stored[most] < INTERVAL,
            ),
            Aim(
                f"growth from {least:,} to {most:,} series", "linear (≤ 1.5)", f"{growth:.2f}", growth <= 1.5
            ),
        ),
        (
            (
                "Embedded: processor time of one process on one core, all detectors; the middle of five rounds after "
                "three. A look at Prometheus reads the states, scores, and writes them: one file, replaced whole."
            ),
            (
                "Spark: local[2], batches of two samples of each series, from Parquet to Parquet with checkpoints; "
                "wall time. Start-up is left out; the first batch starts the Python workers."
            ),
        ),
    )


def _spark_rows(progress: Progress, series: int) -> list[tuple[str, ...]]:
    """One run of Structured Streaming over what has landed, where there is a Java to run it."""
    labels = [f"{series:,} (Spark, two cores{part})" for part in (", first batch", "")]
    try:
        java_home()
    except SparkUnavailableError as exc:
        return [(labels[1], str(exc), "-", "-", "-")]
    progress("Spark")
    with scratch() as folder:
        for number in range(_BATCHES):
            at = 1_767_225_600.0 + 60 * number + np.array([0.0, INTERVAL])
            landing.write(folder / "landing", {f"s{n}": Samples(at, at % (n + 7)) for n in range(series)})
        spark = session("local[2]", "anomaly-speed", {"spark.sql.shuffle.partitions": "2"})
        try:
            query = streaming.stream(
                spark, folder / "landing", folder / "out", streaming.Scorer(), once=True, files=1
            )
            query.awaitTermination()
            seconds = [
                batch.durationMs["triggerExecution"] / 1000
                for batch in query.recentProgress
                if batch.numInputRows
            ]
        finally:
            spark.stop()
    record = len(state.VERSION) + state.FIELDS.itemsize
    return [
        (label, f"{taken / 2:.2f} s", "within it", f"{2 * series / taken:,.0f}", f"{record:,}")
        for label, taken in zip(labels, (seconds[0], statistics.median(seconds[1:])), strict=True)
    ]


def _tick_seconds(series: int) -> tuple[float, float]:
    """Scoring one sample of each series; reading all states and writing them."""
    draw = np.random.default_rng(0)
    kept, at, names = Book(), 1_767_225_600.0, [f"s{n}" for n in range(series)]
    taken = []
    for number in range(WARM + MEASURED):
        values = draw.normal(10, 1, series)
        now = np.array([at + INTERVAL * number])
        samples = {name: Samples(now, values[n : n + 1]) for n, name in enumerate(names)}
        before = time.process_time()
        kept, _ = scored(kept, samples)
        taken.append(time.process_time() - before)
    with scratch() as folder:
        before = time.process_time()
        book.write(kept, folder / "states")
        book.read(folder / "states")
        stored = time.process_time() - before
    return statistics.median(taken[WARM:]), stored
