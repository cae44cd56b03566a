"""One head from the regressions on both views of a text, and which texts the early view tells alone. Pure."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from ml.tagging import calibration, head
from ml.tagging.encoder import VIEWS
from ml.tagging.head import Early, Head
from ml.tagging.training.data import Names

Matrix = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Regression = tuple[Matrix, Matrix]
"""Weights [dimensions, labels] and bias [labels]."""
DIFFER = 0.005
"""Share of the texts told by the early view that both views together may tell otherwise."""
STRANGE = 0.01
"""Share of the known texts outside all categories that the early view may take for one inside."""


def together(early: Regression, late: Regression, ratio: float) -> Regression:
    """Weights and bias for both views side by side, the early one's logits counting `ratio` times."""
    part = np.float32(ratio)
    return np.vstack([early[0] * part, late[0]]), early[1] * part + late[1]


def joined(
    early: Regression, late: Regression, inside: Matrix, outside: Matrix, wanted: Labels, names: Names
) -> tuple[Head, float]:
    """The head, without bands and scope, and the ratio in which the views count.

    Each view is calibrated by itself before both are added. `inside` [texts, dimensions] are validation texts
    with their labels `wanted`, `outside` those of no category.
    """
    owner = np.array(names.owner)
    seen, meant = (
        (view * head.SCALE @ weights + bias).astype(np.float32)
        for view, (weights, bias) in zip(np.split(inside, VIEWS, axis=1), (early, late), strict=True)
    )
    own = calibration.temperature(meant, wanted, owner)
    ratio = own / calibration.temperature(seen, wanted, owner)
    temperature = calibration.temperature((seen * np.float32(ratio) + meant), wanted, owner)
    alone = Early(early[1] * np.float32(ratio), own, calibration.NEVER)
    made = Head(
        names.labels,
        names.categories,
        names.owner,
        *together(early, late, ratio),
        temperature,
        bands={},
        early=alone,
    )
    enough_at = _enough_at(made, inside, outside)
    told = dataclasses.replace(alone, enough_at=enough_at) if enough_at < calibration.NEVER else None
    return dataclasses.replace(made, early=told), ratio


def _enough_at(made: Head, inside: Matrix, outside: Matrix) -> float:
    """The lowest confidence of the early view from which on it differs seldom enough from both together."""
    shares = made.probabilities(made.early_logits(np.split(inside, VIEWS, axis=1)[0]))
    whole = made.logits(inside).astype(np.float32)
    confidence, differs = (
        shares.max(axis=1),
        shares.argmax(axis=1) != made.probabilities(whole).argmax(axis=1),
    )
    order = np.argsort(-confidence, kind="stable")
    # Laplace's rule of succession: a few texts that agree do not show that the next one will.
    expected = (np.cumsum(differs[order]) + 1) / (np.arange(len(order)) + 3)
    seldom = np.flatnonzero(expected <= DIFFER)
    if not len(seldom):
        return calibration.NEVER
    lowest = float(confidence[order][seldom[-1]])
    if not len(outside):
        return lowest
    strange = made.probabilities(made.early_logits(np.split(outside, VIEWS, axis=1)[0])).max(axis=1)
    return max(lowest, float(np.quantile(strange, 1 - STRANGE, method="higher")))
