"""Speed of both anomaly engines: samples a second and bytes of state, embedded from 1 k to 100 k series."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx2
import numpy as np

from benchmarks.processes import scratch
from benchmarks.report import Aim, Progress, Section
from bot.core.settings import PrometheusSettings
from integrations.prometheus.client import PrometheusClient
from ml.anomaly import book, landing, state
from ml.anomaly import spark as streaming
from ml.anomaly.book import Book, Samples, scored
from ml.spark import SparkUnavailableError, java_home, session
from plugins.anomaly_watch.collector import collect
from plugins.anomaly_watch.config import AnomalyWatchConfig, Watch
from plugins.anomaly_watch.figures import export

INTERVAL = 30.0
WARM, MEASURED = 3, 5
_BATCHES = 6
_LOOKS = 3


def run(progress: Progress, *, quick: bool = False) -> Section:
    sizes = (100, 1_000) if quick else (1_000, 10_000, 100_000)
    rows: list[tuple[str, ...]] = []
    seconds, stored, looks = {}, {}, {}
    for series in sizes:
        progress(f"{series} series")
        seconds[series], stored[series] = _tick_seconds(series)
        looks[series] = _look_seconds(series)
        rate = series / seconds[series]
        rows.append(
            (
                f"{series:,}",
                f"{seconds[series]:.3f} s",
                f"{stored[series]:.3f} s",
                f"{looks[series]:.2f} s",
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
        (
            "series",
            "one sample of each",
            "states read and written",
            "a whole look",
            "samples/s",
            "bytes of state a series",
        ),
        rows,
        (
            Aim(
                f"{most:,} series every 30 s, their states read and written",
                "< 30 s",
                f"{seconds[most] + stored[most]:.1f} s",
                seconds[most] + stored[most] < INTERVAL,
            ),
            Aim(
                "the same from Prometheus's answer to the exported figures",
                "< 30 s",
                f"{looks[most]:.1f} s",
                looks[most] < INTERVAL,
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
                "A whole look: what a worker does every 30 s, from the bytes that Prometheus answers, six samples of each "
                "series of which one is new, to the figures on /metrics; processor time, the middle of three rounds."
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
        return [(labels[1], str(exc), "-", "-", "-", "-")]
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
        (label, f"{taken / 2:.2f} s", "within it", "", f"{2 * series / taken:,.0f}", f"{record:,}")
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


def _look_seconds(series: int) -> float:
    """From Prometheus's answer to the exported figures."""
    config = AnomalyWatchConfig(
        watch=(Watch(name="speed", query="up"),), max_series=series, history_days=0, step=INTERVAL
    )
    taken = []
    with scratch() as folder:
        for number in range(_LOOKS + 1):
            last = 1_767_225_600.0 + INTERVAL * number
            metrics = _prometheus(_answer(series, [last - INTERVAL * ago for ago in range(5, -1, -1)]))
            before = time.process_time()
            collected = collect(config.watch[0], config, metrics, folder, datetime.fromtimestamp(last, UTC))
            export(config.watch[0], config, collected)
            taken.append(time.process_time() - before)
    return statistics.median(taken[1:])


def _answer(series: int, times: Sequence[float]) -> bytes:
    """What Prometheus answers to a range query."""
    result = [
        {
            "metric": {"__name__": "up", "instance": f"i{number}", "service": f"s{number % 100}"},
            "values": [[at, str(at % (number + 7))] for at in times],
        }
        for number in range(series)
    ]
    data = {"resultType": "matrix", "result": result}
    return json.dumps({"status": "success", "data": data}).encode()


def _prometheus(answer: bytes) -> PrometheusClient:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=answer))
    return PrometheusClient(PrometheusSettings(url="http://localhost"), httpx2.Client(transport=transport))
