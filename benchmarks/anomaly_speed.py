"""Speed of the embedded anomaly engine: samples a second and bytes of state, from 1 k to 100 k series."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.report import Aim, Progress, Section
from ml.anomaly import Book, Samples, scored, state

INTERVAL = 30.0
WARM, MEASURED = 3, 4


def run(progress: Progress, *, quick: bool = False) -> Section:
    sizes = (100, 1_000) if quick else (1_000, 10_000, 100_000)
    rows, seconds = [], {}
    for series in sizes:
        progress(f"{series} series")
        seconds[series] = _tick_seconds(series)
        rate = series / seconds[series]
        rows.append((f"{series:,}", f"{seconds[series]:.2f} s", f"{rate:,.0f}", f"{state.FIELDS.itemsize:,}"))
    most, least = max(sizes), min(sizes)
    growth = seconds[most] / seconds[least] / (most / least)
    return Section(
        "anomaly_speed",
        "Anomalies: speed of the embedded engine",
        ("series", "one sample of each", "samples/s", "bytes of state a series"),
        rows,
        (
            Aim(f"{most:,} series every 30 s", "< 30 s", f"{seconds[most]:.1f} s", seconds[most] < INTERVAL),
            Aim(
                f"growth from {least:,} to {most:,} series", "linear (≤ 1.5)", f"{growth:.2f}", growth <= 1.5
            ),
        ),
        ("One process on one core, all detectors, states in memory; the mean of four rounds after three.",),
    )


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
        before = time.perf_counter()
        book, _ = scored(book, samples)
        started += time.perf_counter() - before
    return started / MEASURED
