"""How good a detector is on labelled series: by events, by false alerts a day, and without a threshold.

There is no point-adjusted F1 here: with it, random scores reach the state of the art (Kim et al., "Towards
a rigorous evaluation of time-series anomaly detection", AAAI 2022).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml.anomaly.labelled import Floats, Labelled
from ml.anomaly.nab import free_rows
from ml.anomaly.state import Flags

BUFFERS = (0, 20, 40, 60, 80, 100)
_THRESHOLDS = 100


@dataclass(frozen=True)
class Events:
    """Windows are the events; an alert is one row. `delay` is the median, in rows from a window's first
    row.
    """

    windows: int
    found: int
    alerts: int
    false: int
    days: float
    delay: float

    @property
    def precision(self) -> float:
        return 1 - self.false / self.alerts if self.alerts else 0.0

    @property
    def recall(self) -> float:
        return self.found / self.windows if self.windows else 0.0

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    @property
    def false_a_day(self) -> float:
        """False alerts per series and day."""
        return self.false / self.days if self.days else 0.0


def events(files: Sequence[Labelled], scores: Mapping[str, Floats], threshold: float) -> Events:
    """Alerts are the rows from the threshold on, those in NAB's free rows aside."""
    found = false = alerts = 0
    delays: list[int] = []
    days = 0.0
    for file in files:
        free = free_rows(len(file.at))
        told = scores[file.name] >= threshold
        told[:free] = False
        days += file.days * (1 - free / len(file.at))
        alerts += int(told.sum())
        false += int((told & ~file.inside()).sum())
        firsts = [np.flatnonzero(told[a : b + 1]) for a, b in file.windows]
        delays += [int(hits[0]) for hits in firsts if len(hits)]
        found += sum(bool(len(hits)) for hits in firsts)
    windows = sum(len(file.windows) for file in files)
    return Events(windows, found, alerts, false, days, float(np.median(delays)) if delays else float("nan"))


@dataclass(frozen=True)
class ByRow:
    """Shares of rows, in [0, 1]. Most rows are usual, so a detector that says nothing is accurate too."""

    accuracy: float
    false_positive_rate: float


def by_row(files: Sequence[Labelled], said: Mapping[str, Flags]) -> ByRow:
    """Each row by itself, those in windows being anomalous; NAB's free rows aside."""
    right = rows = false = usual = 0
    for file in files:
        free = free_rows(len(file.at))
        told, inside = said[file.name][free:], file.inside()[free:]
        rows += len(told)
        right += int((told == inside).sum())
        usual += int((~inside).sum())
        false += int((told & ~inside).sum())
    return ByRow(right / rows, false / usual)


def vus_pr(file: Labelled, scores: Floats, buffers: Sequence[int] = BUFFERS) -> float:
    """Volume under the precision-recall surface of a series with windows, in [0, 1].

    Paparrizos et al., "Volume under the surface: a new accuracy evaluation measure for time-series anomaly
    detection", VLDB 2022: the area under the range-based precision-recall curve, averaged over the length
    of a buffer around each anomaly within which a detection counts in part.
    """
    return float(np.mean([_area(file, scores, buffer) for buffer in buffers]))


def _area(file: Labelled, scores: Floats, buffer: int) -> float:
    strict, soft = file.inside(), _softened(file, buffer)
    segments = _segments(soft > 0)
    levels = np.sort(scores)[::-1][np.linspace(0, len(scores) - 1, _THRESHOLDS).astype(int)]
    area, reached = 0.0, 0.0
    for level in levels:
        told = scores >= level
        hits = float(soft[told].sum())
        # Half of what the buffers add when they are hit: a miss within a buffer is no miss.
        positives = (strict.sum() + soft[strict | told].sum()) / 2
        seen = np.mean([told[a : b + 1].any() for a, b in segments])
        recall = min(hits / positives, 1.0) * float(seen)
        area += max(recall - reached, 0.0) * hits / float(told.sum())
        reached = max(recall, reached)
    return area


def _softened(file: Labelled, buffer: int) -> Floats:
    """1 in windows, falling to 0 within half the buffer's length on both sides, [rows]."""
    soft = file.inside().astype(np.float64)
    rows = np.arange(len(soft))
    for first, last in file.windows:
        if buffer:
            away = np.maximum(first - rows, rows - last).clip(0)
            near = away <= buffer // 2
            soft[near] = np.maximum(soft[near], np.sqrt(1 - away[near] / buffer))
    return soft


def _segments(flags: Flags) -> list[tuple[int, int]]:
    edges = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    return list(
        zip(np.flatnonzero(edges == 1).tolist(), (np.flatnonzero(edges == -1) - 1).tolist(), strict=True)
    )
