"""From Prometheus into the book of a watch: only what is new, in order, each sample once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from filelock import FileLock

from bot.plugin import Metrics, Series
from ml.anomaly import Verdict, book
from ml.anomaly.book import Book, Samples, scored
from plugins.anomaly_watch import spark_engine
from plugins.anomaly_watch.config import AnomalyWatchConfig, Watch
from plugins.anomaly_watch.labels import series_name

_LATE = 5
"""Steps that are asked for again: samples may come late; those that are known do not count twice."""
_STALE = 300.0
"""Seconds after which a series without samples is gone, as in Prometheus; at least as many steps as above."""


@dataclass(frozen=True)
class Collected:
    """What is known of a watch after a look at Prometheus.

    Attributes:
        latest: what was said last of each series that is there.
        gone: series that are not there any more, and not yet forgotten.
        samples: how many were scored in this look.
        left_out: how many series were not watched, being too many.
        delay: seconds from the newest sample to its verdict; NaN where none came.
    """

    book: Book
    latest: Mapping[str, Verdict]
    gone: Sequence[str] = ()
    samples: int = 0
    left_out: int = 0
    delay: float = math.nan


def collect(
    watch: Watch, config: AnomalyWatchConfig, metrics: Metrics, folder: Path, now: datetime
) -> Collected:
    """Fetch, score and store. Cut off anywhere, the next look goes on from what was stored."""
    with locked(folder, watch) as file:
        old = _book(file, watch, config)
        fetched = _until(folder, watch, config, old)
        found = [series for part in _fetched(watch, config, metrics, fetched, now) for series in part]
        found += _returned(watch, config, metrics, fetched, found, now)
        samples, left_out = _samples(found, fetched, config.max_series)
        oldest = now.timestamp() - config.forget_days * 86400
        if config.engine == "spark":
            spark_engine.land(folder, watch, samples, fetched)
            new, counted = spark_engine.heard(folder, watch, old, oldest)
        else:
            new, verdicts = scored(old, samples)
            counted = sum(int(each.verdicts.counted.sum()) for each in verdicts)
        new = new.without(oldest)
        book.write(new, file)
    known = _known(new, config, now)
    delay = now.timestamp() - max(new.known_until().values()) if counted else math.nan
    return replace(known, samples=counted, left_out=left_out, delay=delay)


def remembered(watch: Watch, config: AnomalyWatchConfig, folder: Path, now: datetime) -> Collected:
    """What is known while Prometheus is away."""
    with locked(folder, watch) as file:
        return _known(_book(file, watch, config), config, now)


def _until(folder: Path, watch: Watch, config: AnomalyWatchConfig, old: Book) -> Mapping[str, float]:
    """Up to when each series was fetched, in seconds since 1970."""
    if config.engine == "embedded":
        return old.known_until()
    return spark_engine.position(folder, watch).landed


def _known(kept: Book, config: AnomalyWatchConfig, now: datetime) -> Collected:
    latest = kept.latest(now.timestamp() - max(_STALE, _LATE * config.step))
    return Collected(kept, latest, tuple(name for name in kept.names if name not in latest))


@contextmanager
def locked(folder: Path, watch: Watch) -> Iterator[Path]:
    """The file of a watch's book, for one process at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{watch.name}.lock", timeout=30):
        yield folder / f"{watch.name}.states"


def _book(file: Path, watch: Watch, config: AnomalyWatchConfig) -> Book:
    old = book.read(file)
    limit = math.nan if watch.limit is None else watch.limit
    return replace(old, counter=watch.counter, limit=limit, warm_up=config.warm_up)


def _fetched(
    watch: Watch, config: AnomalyWatchConfig, metrics: Metrics, fetched: Mapping[str, float], now: datetime
) -> Iterator[Sequence[Series]]:
    """History at first, coarsely up to the last hours; later what came since the last look."""
    end = _on_grid(now.timestamp(), config.step)
    known = [at for at in fetched.values() if math.isfinite(at)]
    if known:
        oldest = end - config.catch_up_hours * 3600
        start = max(max(known) - _LATE * config.step, oldest)
        yield _range(watch, metrics, _on_grid(start, config.step), end, config.step)
        return
    recent = end - min(config.history_days * 86400, _LATE * config.history_step)
    if config.history_days:
        start = _on_grid(end - config.history_days * 86400, config.history_step)
        yield _range(watch, metrics, start, recent, config.history_step)
    yield _range(watch, metrics, _on_grid(recent, config.step), end, config.step)


def _returned(
    watch: Watch,
    config: AnomalyWatchConfig,
    metrics: Metrics,
    known: Mapping[str, float],
    found: Sequence[Series],
    now: datetime,
) -> Sequence[Series]:
    """What series missed that lagged behind the others longer than is always asked for again."""
    first = {series_name(series.labels): _first(series, known) for series in found if series.points}
    lagged = [known[name] for name, at in first.items() if at - known.get(name, math.inf) > config.step]
    if not lagged:
        return ()
    end = _on_grid(now.timestamp(), config.step)
    start = max(min(lagged), end - config.catch_up_hours * 3600)
    return _range(watch, metrics, _on_grid(start, config.step), end, config.step)


def _first(series: Series, known: Mapping[str, float]) -> float:
    """Seconds since 1970 of the first sample that is new and finite; minus infinity where there is none."""
    until = known.get(series_name(series.labels), -math.inf)
    new = (at.timestamp() for at, value in series.points if math.isfinite(value))
    return next((at for at in new if at > until), -math.inf)


def _range(watch: Watch, metrics: Metrics, start: float, end: float, step: float) -> Sequence[Series]:
    if end < start:
        return ()
    return metrics.query_range(watch.query, start=_moment(start), end=_moment(end), step=step)


def _samples(
    found: Sequence[Series], known: Mapping[str, float], most: int
) -> tuple[dict[str, Samples], int]:
    """Each series' samples; known series first, when there are too many."""
    points: dict[str, list[tuple[datetime, float]]] = {}
    for series in found:
        points.setdefault(series_name(series.labels), []).extend(series.points)
    for each in points.values():
        each.sort(key=lambda point: point[0])
    kept = sorted(points, key=lambda name: (name not in known, name))[:most]
    made = {
        name: Samples(
            np.array([at.timestamp() for at, _ in points[name]]),
            np.array([value for _, value in points[name]], np.float64),
        )
        for name in kept
    }
    return made, len(points) - len(kept)


def _on_grid(seconds: float, step: float) -> float:
    return math.floor(seconds / step) * step


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
