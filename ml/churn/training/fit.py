"""Fits forest, boosting, network and the stack that joins them on what each says of rows it has not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.churn.model import forest as forest_file
from ml.churn.model.artifact import BOOSTING, FOREST, NETWORK, Stack
from ml.churn.model.ensemble import filled, joined, logit
from ml.churn.model.network import Network
from ml.churn.training import network_fit

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Groups = npt.NDArray[Any]
Progress = Callable[[str, float], None]
_WEIGHT_DECAY = 1e-3


@dataclass(frozen=True)
class Recipe:
    """Settings of the members. They are general: none was chosen on a test part."""

    folds: int = 5
    trees: int = 300
    least_leaf: int = 3
    rounds: int = 300
    rate: float = 0.04
    leaves: int = 15
    least_data: int = 15
    columns_share: float = 0.7
    rows_share: float = 0.8
    l2: float = 1.0
    hidden: tuple[int, int] = (64, 32)
    members: int = 4
    seed: int = 7
    threads: int = 2


QUICK = Recipe(folds=3, trees=100, rounds=200, members=2)
"""For a first look: a fifth of the time, a little of the accuracy."""


@dataclass(frozen=True)
class Members:
    """Fitted members: they answer with logits [rows, 3]."""

    forest: Any
    boosting: Any
    network: dict[str, npt.NDArray[np.float32]]
    medians: tuple[float, ...]

    def logits(self, matrix: Floats) -> Floats:
        whole = filled(matrix, self.medians)
        return np.column_stack(
            [
                logit(self.forest.predict_proba(whole)[:, 1]),
                self.boosting.predict(matrix, raw_score=True),
                Network(self.network).logits(whole),
            ]
        )

    def save(self, folder: Path) -> None:
        from safetensors.numpy import save_file  # noqa: PLC0415

        forest_file.save(self.forest, folder / FOREST)
        self.boosting.booster_.save_model(str(folder / BOOSTING))
        save_file({name: np.ascontiguousarray(t) for name, t in self.network.items()}, folder / NETWORK)


@dataclass(frozen=True)
class Fitted:
    """`held_out`: for each training row the ensemble's probability by members that had not seen its group."""

    members: Members
    stack: Stack
    held_out: Floats
    held_out_logits: Floats

    def probabilities(self, matrix: Floats) -> Floats:
        return joined(self.members.logits(matrix), self.stack)


def fit_members(matrix: Floats, labels: Labels, recipe: Recipe) -> Members:
    from lightgbm import LGBMClassifier  # noqa: PLC0415  # of the training extra
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415

    medians = _medians(matrix)
    whole = filled(matrix, medians)
    forest = RandomForestClassifier(
        recipe.trees, min_samples_leaf=recipe.least_leaf, n_jobs=recipe.threads, random_state=recipe.seed
    ).fit(whole.astype(np.float32), labels)
    boosting = LGBMClassifier(
        n_estimators=recipe.rounds, learning_rate=recipe.rate, num_leaves=recipe.leaves,
        min_child_samples=recipe.least_data, colsample_bytree=recipe.columns_share,
        subsample=recipe.rows_share, subsample_freq=1, reg_lambda=recipe.l2, random_state=recipe.seed,
        n_jobs=recipe.threads, deterministic=True, force_row_wise=True, verbose=-1,
    ).fit(matrix, labels)  # fmt: skip
    network = network_fit.fit(whole, labels, seed=recipe.seed, members=recipe.members, hidden=recipe.hidden)
    return Members(forest, boosting, network, medians)


def fit(
    matrix: Floats, labels: Labels, groups: Groups, recipe: Recipe, say: Progress = lambda *_: None
) -> Fitted:
    """Raises ValueError when a class has fewer groups than folds."""
    logits = held_out(matrix, labels, groups, recipe, say)
    stack = fit_stack(logits, labels)
    say("all rows", recipe.folds / (recipe.folds + 1))
    return Fitted(fit_members(matrix, labels, recipe), stack, joined(logits, stack), logits)


def held_out(
    matrix: Floats, labels: Labels, groups: Groups, recipe: Recipe, say: Progress = lambda *_: None
) -> Floats:
    """Logits [rows, 3] of members that were fitted without the row's group."""
    logits = np.full((len(labels), 3), np.nan)
    for number, (used, left) in enumerate(folds(labels, groups, recipe.folds, recipe.seed)):
        say(f"fold {number + 1} of {recipe.folds}", number / (recipe.folds + 1))
        logits[left] = fit_members(matrix[used], labels[used], recipe).logits(matrix[left])
    return logits


def folds(labels: Labels, groups: Groups, number: int, seed: int) -> Any:
    """Index pairs: a group lies in one fold only, and folds have about the same share of leavers."""
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415

    splitter = StratifiedGroupKFold(number, shuffle=True, random_state=seed)
    return splitter.split(np.zeros(len(labels)), labels, groups)


def fit_stack(logits: Floats, labels: Labels) -> Stack:
    """Logistic regression with weights >= 0, drawn a little towards equal ones: a calibrated mixture."""
    from scipy.optimize import minimize  # noqa: PLC0415  # of the training extra

    sign = np.where(labels == 1, 1.0, -1.0)
    equal = 1 / logits.shape[1]

    def loss(at: Floats) -> tuple[float, Floats]:
        margin = sign * (logits @ at[:-1] + at[-1])
        pull = -sign / (1 + np.exp(np.clip(margin, -500, 500)))
        gap = at[:-1] - equal
        value = np.logaddexp(0, -margin).mean() + _WEIGHT_DECAY * (gap**2).sum()
        slope = (logits * pull[:, None]).mean(axis=0) + 2 * _WEIGHT_DECAY * gap
        return float(value), np.append(slope, pull.mean())

    bounds = [(0, None)] * logits.shape[1] + [(None, None)]
    start = np.append(np.full(logits.shape[1], equal), 0.0)
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    first, second, third = (float(weight) for weight in found[:-1])
    return Stack(weights=(first, second, third), bias=float(found[-1]))


def _medians(matrix: Floats) -> tuple[float, ...]:
    """Of what is known in each column; 0 where nothing is."""
    known = (column[~np.isnan(column)] for column in matrix.T)
    return tuple(float(np.median(column)) if len(column) else 0.0 for column in known)
