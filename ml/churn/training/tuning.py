"""Chooses how fine the trees are on inner folds: small or noisy data wants coarser ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.churn.model.ensemble import filled, medians_of
from ml.churn.training import metrics
from ml.churn.training.folds import Groups, folds
from ml.churn.training.recipe import Recipe, boosting_of, forest_of

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
_FOLDS = 3
_MOST_ROWS = 20_000
"""More rows would not change the choice, only cost time."""
_LEAVES = (3, 10, 30)


def tuned(matrix: Floats, labels: Labels, groups: Groups, recipe: Recipe) -> Recipe:
    """The recipe with those sizes of forest and boosting that have the lower log-loss on unseen rows."""
    some = _some(groups, recipe.seed)
    x, y, of = matrix[some], labels[some], groups[some]
    whole = filled(x, medians_of(x)).astype(np.float32)
    forests = [replace(recipe, least_leaf=least) for least in _LEAVES]
    best = _best(forests, forest_of, whole, y, of)
    coarse = replace(best, leaves=4, rate=0.05, least_data=40, columns_share=0.5, l2=5.0)
    # Trees of one split add up to a curve for each feature (Lou, Caruana and Gehrke, 2012): many small steps.
    additive = replace(coarse, leaves=2, rate=0.02, rounds=5 * best.rounds)
    return _best((best, coarse, additive), boosting_of, x, y, of)


def _some(groups: Groups, seed: int) -> npt.NDArray[np.bool_]:
    """Rows of as many whole groups as are enough, drawn at random."""
    if len(groups) <= _MOST_ROWS:
        return np.ones(len(groups), np.bool_)
    names, sizes = np.unique(groups, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    enough = int(np.searchsorted(np.cumsum(sizes[order]), _MOST_ROWS)) + 1
    return np.isin(groups, names[order[:enough]])


def _best(
    recipes: Sequence[Recipe], of: Callable[[Recipe], Any], matrix: Any, labels: Labels, groups: Groups
) -> Recipe:
    parts = list(folds(labels, groups, _FOLDS, recipes[0].seed))

    def loss(recipe: Recipe) -> float:
        said = np.empty(len(labels))
        for used, left in parts:
            said[left] = of(recipe).fit(matrix[used], labels[used]).predict_proba(matrix[left])[:, 1]
        return metrics.log_loss(said, labels)

    return min(recipes, key=loss)
