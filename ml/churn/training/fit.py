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
from ml.churn.model.ensemble import filled, joined, logit, medians_of
from ml.churn.model.network import Network
from ml.churn.training import network_fit, tuning
from ml.churn.training.folds import Groups, folds
from ml.churn.training.recipe import Recipe, boosting_of, forest_of

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Progress = Callable[[str, float], None]
_WEIGHT_DECAY = 1e-3


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
    medians = medians_of(matrix)
    whole = filled(matrix, medians)
    forest = forest_of(recipe).fit(whole.astype(np.float32), labels)
    boosting = boosting_of(recipe).fit(matrix, labels)
    network = network_fit.fit(whole, labels, seed=recipe.seed, members=recipe.members, hidden=recipe.hidden)
    return Members(forest, boosting, network, medians)


def fit(
    matrix: Floats, labels: Labels, groups: Groups, recipe: Recipe, say: Progress = lambda *_: None
) -> Fitted:
    """Raises ValueError when a class has fewer groups than folds."""
    if recipe.tuned:
        say("the trees' sizes", 0.0)
        recipe = tuning.tuned(matrix, labels, groups, recipe)
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
