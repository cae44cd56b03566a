"""The leak auditor: would a model be judged by what it can't know? It runs before every training.

Each finding names what was seen; a `blocks` finding stops the training. After Kaufman et al., "Leakage in
data mining"
(2012), and the checks that H2O and others run by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.churn.training import metrics
from ml.churn.training.dataset import Dataset
from ml.churn.training.folds import folds

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
SINGLE_AUC = 0.95
CANARY_AUC = 0.97
BALANCED = 0.02


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    blocks: bool
    words: str


def audit(data: Dataset, *, seed: int = 7) -> list[Finding]:
    """All findings; an empty list is a clean bill."""
    return [
        *duplicates(data.matrix, data.labels, data.groups, seed),
        *time_order(data.cuts, data.horizon_days, data.embargo_days, data.known_until),
        *split_over_time(*data.split()),
        *single_features(data.matrix, data.labels, data.columns.names),
        *resampled(data.labels, data.rows_of_life),
    ]


def duplicates(matrix: Floats, labels: Labels, groups: npt.NDArray[Any], seed: int) -> list[Finding]:
    """Equal rows, or one customer, on both sides of a fold."""
    _, same = np.unique(np.nan_to_num(matrix, nan=-9e9), axis=0, return_inverse=True)
    across, shared = 0, 0
    for used, left in folds(labels, groups, 5, seed):
        across += int(np.isin(same.ravel()[left], same.ravel()[used]).sum())
        shared += len(np.intersect1d(groups[used], groups[left]))
    found = []
    if across > 0.01 * len(labels):
        words = (
            f"{across} of {len(labels)} rows stand in training and in test alike. Remove duplicates first."
        )
        found.append(Finding("duplicates across folds", blocks=True, words=words))
    if shared:
        words = f"{shared} customers are in training and in test. Split by customer."
        found.append(Finding("group overlap", blocks=True, words=words))
    return found


def time_order(cuts: Sequence[date], horizon: int, embargo: int, known_until: date) -> list[Finding]:
    """Every label window must be over before the day up to which outcomes are known."""
    open_ = [cut for cut in cuts if (known_until - cut).days < horizon + embargo]
    if not open_:
        return []
    words = f"Outcomes of the cut {open_[0]} are not known before {horizon + embargo} days have passed."
    return [Finding("time order", blocks=True, words=words)]


def split_over_time(past: Dataset, test: Dataset) -> list[Finding]:
    """What a model is judged on must lie behind all that it learned: rows, and the outcomes of the rows."""
    first = min(test.cuts[number] for number in np.unique(test.cut_of))
    cuts, rows = np.unique(past.cut_of, return_counts=True)
    open_ = [
        count for cut, count in zip(cuts, rows, strict=True) if past.cuts[cut] + past.window.span > first
    ]
    if not open_:
        return []
    words = (
        f"{sum(open_)} of {len(past.labels)} rows to learn from have outcomes that were still open on "
        f"{first}, the day that the model is judged on. Split by time, not at random."
    )
    return [Finding("split at random over time", blocks=True, words=words)]


def single_features(matrix: Floats, labels: Labels, names: Sequence[str]) -> list[Finding]:
    """A feature that alone tells nearly everything is made from the label, or from what came after it."""
    found = []
    for name, column in zip(names, matrix.T, strict=True):
        known = ~np.isnan(column)
        if 0 < labels[known].sum() < known.sum():
            score = metrics.auc(column[known], labels[known])
            if max(score, 1 - score) > SINGLE_AUC:
                words = f"{name} alone has an AUC of {max(score, 1 - score):.3f}. Is it known at the cut?"
                found.append(Finding("single feature", blocks=True, words=words))
    return found


def resampled(labels: Labels, rows_of_life: float | None) -> list[Finding]:
    """Classes in equal numbers, in data where they are not: somebody resampled before the split.

    `rows_of_life` is the share of leavers in the raw tables, where it is known.
    """
    share = float(labels.mean())
    if rows_of_life is None or abs(share - 0.5) > BALANCED or abs(rows_of_life - share) < BALANCED:
        return []
    words = (
        f"{share:.0%} of the rows left, but {rows_of_life:.0%} of the customers. Resample inside folds only."
    )
    return [Finding("resampled before the split", blocks=True, words=words)]


def canary(auc: float, expected: float = CANARY_AUC) -> list[Finding]:
    """Too good to be true."""
    if auc <= expected:
        return []
    words = (
        f"An AUC of {auc:.3f} is too good to be true (over {expected}). Look for a feature from the future."
    )
    return [Finding("too good to be true", blocks=True, words=words)]
