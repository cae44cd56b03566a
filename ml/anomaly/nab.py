"""The scoring rules of the Numenta Anomaly Benchmark, v1.1.

Lavin and Ahmad, "Evaluating real-time anomaly detection algorithms: the Numenta Anomaly Benchmark", ICMLA
2015. The first rows of a file are free; in a window only the best detection counts, early ones more than
late ones; a detection outside costs, less so just after a window; a window without one costs. The sum is
put on a scale on which silence has 0 and perfection 100. One threshold serves all files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml.anomaly.labelled import Floats, Labelled

FREE_SHARE = 0.15
FREE_ROWS = 750
_STEEP = 5.0
_FAR = 3.0


@dataclass(frozen=True)
class Profile:
    """What a found window earns, and what a missed one and a false detection cost."""

    name: str
    found: float
    missed: float
    false: float


STANDARD = Profile("standard", 1.0, 1.0, 0.11)
LOW_FALSE_POSITIVES = Profile("low FP", 1.0, 1.0, 0.22)
LOW_FALSE_NEGATIVES = Profile("low FN", 1.0, 2.0, 0.11)
PROFILES = (STANDARD, LOW_FALSE_POSITIVES, LOW_FALSE_NEGATIVES)


@dataclass(frozen=True)
class Curve:
    """Raw scores of some files by threshold, highest threshold first. A row is detected from `>=` on."""

    thresholds: Floats
    raw: Floats
    windows: int

    def at(self, threshold: float) -> float:
        """The raw score that a threshold yields."""
        reached = np.searchsorted(-self.thresholds, -threshold, "right") - 1
        return float(self.raw[reached])


@dataclass(frozen=True)
class Result:
    """A score on NAB's scale and the threshold (or, left out by group, the thresholds) behind it."""

    score: float
    thresholds: tuple[float, ...]


def free_rows(rows: int) -> int:
    """Rows at the start of a file in which nothing is counted."""
    return min(int(FREE_SHARE * rows), FREE_ROWS)


def scored(files: Sequence[Labelled], scores: Mapping[str, Floats], profile: Profile) -> Result:
    """NAB's own way: the one threshold is chosen on the files that it is scored on."""
    curve = _curve(files, scores, profile)
    best = int(np.argmax(curve.raw))
    score = _on_scale(float(curve.raw[best]), curve.windows, profile)
    return Result(score, (float(curve.thresholds[best]),))


def scored_at(
    files: Sequence[Labelled], scores: Mapping[str, Floats], profile: Profile, threshold: float
) -> float:
    """The score that a threshold chosen elsewhere yields."""
    curve = _curve(files, scores, profile)
    return _on_scale(curve.at(threshold), curve.windows, profile)


def left_out(files: Sequence[Labelled], scores: Mapping[str, Floats], profile: Profile) -> Result:
    """Each group of files is scored at the threshold that is best on all other groups."""
    groups = sorted({file.group for file in files})
    raw, chosen = 0.0, []
    for group in groups:
        others = _curve([file for file in files if file.group != group], scores, profile)
        threshold = float(others.thresholds[int(np.argmax(others.raw))])
        raw += _curve([file for file in files if file.group == group], scores, profile).at(threshold)
        chosen.append(threshold)
    windows = sum(len(file.windows) for file in files)
    return Result(_on_scale(raw, windows, profile), tuple(chosen))


def _on_scale(raw: float, windows: int, profile: Profile) -> float:
    silence, perfect = -profile.missed * windows, profile.found * windows
    return 100 * (raw - silence) / (perfect - silence)


def _curve(files: Sequence[Labelled], scores: Mapping[str, Floats], profile: Profile) -> Curve:
    parts = [_gains(file, scores[file.name], profile) for file in files]
    windows = sum(len(file.windows) for file in files)
    found = np.concatenate([part[0] for part in parts])
    order = np.argsort(-found, kind="stable")
    raw = np.cumsum(np.concatenate([part[1] for part in parts])[order]) - profile.missed * windows
    found = found[order]
    last = np.append(np.flatnonzero(np.diff(found)), len(found) - 1)
    silence = -profile.missed * windows
    return Curve(np.append(np.inf, found[last]), np.append(silence, raw[last]), windows)


def _gains(file: Labelled, scores: Floats, profile: Profile) -> tuple[Floats, Floats]:
    """Scores of the rows that count, and what each row adds once the threshold sinks to it."""
    gain = _outside(file) * profile.false
    for first, last in file.windows:
        rows = np.arange(first, last + 1)
        worth = _sigmoid(-(last - rows + 1) / (last - first + 1)) / _sigmoid(np.array(-1.0)) * profile.found
        order = np.argsort(-scores[rows], kind="stable")
        best = np.maximum.accumulate(worth[order])
        gain[rows[order]] = np.diff(best, prepend=-profile.missed)
    free = free_rows(len(scores))
    return scores[free:], gain[free:]


def _outside(file: Labelled) -> Floats:
    """-1 for rows far from the window before them, nearer to 0 just after it, [rows]."""
    cost = np.full(len(file.at), -1.0)
    for first, last in file.windows:
        past = np.arange(1, len(cost) - last) / max(last - first, 1)
        cost[last + 1 :] = np.where(past > _FAR, -1.0, _sigmoid(past))
    return cost


def _sigmoid(position: Floats) -> Floats:
    scaled: Floats = 2 / (1 + np.exp(_STEEP * np.minimum(position, _FAR))) - 1
    return scaled
