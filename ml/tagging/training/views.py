"""One head from the regressions on both views of a text, and which texts the early view tells alone. Pure.

With enough examples, a regression on each view, their logits added (a product of experts, Hinton, 2002), is
right more often than one on both views; of a few examples, one on both makes more.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from ml.tagging import calibration, head
from ml.tagging.encoder import VIEWS
from ml.tagging.head import NEVER, Early, Head
from ml.tagging.training.data import Names

Matrix = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Regression = tuple[Matrix, Matrix]
"""Weights [dimensions, labels] and bias [labels]."""
DIFFER = 0.005
"""Share of the texts told by the early view that both views together may tell otherwise."""
STRANGE = 0.01
"""Share of the known texts outside all categories that the early view may take for ones inside."""
TOLD = 0.5
"""The largest share of texts that the early view tells where no text outside is known."""


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
    first, last = (
        (view * head.SCALE @ weights + bias).astype(np.float32)
        for view, (weights, bias) in zip(np.split(inside, VIEWS, axis=1), (early, late), strict=True)
    )
    own = calibration.temperature(last, wanted, owner)
    ratio = own / calibration.temperature(first, wanted, owner)
    temperature = calibration.temperature(first * np.float32(ratio) + last, wanted, owner)
    alone = Early(early[1] * np.float32(ratio), own, NEVER)
    made = Head(
        names.labels,
        names.categories,
        names.owner,
        *together(early, late, ratio),
        temperature,
        bands={},
        early=alone,
    )
    told = dataclasses.replace(alone, enough_at=_enough_at(made, inside, outside))
    return dataclasses.replace(made, early=told), ratio


def _enough_at(made: Head, inside: Matrix, outside: Matrix) -> float:
    """The lowest energy of the early view from which on it differs seldom enough from both together."""
    alone, whole = made.early_logits(seen(inside)), made.logits(inside)
    energies = made.energy(alone)
    differs = made.probabilities(alone).argmax(axis=1) != made.probabilities(whole).argmax(axis=1)
    order = np.argsort(-energies, kind="stable")
    # Laplace's rule of succession: a few texts that agree do not show that the next one will.
    expected = (np.cumsum(differs[order]) + 1) / (np.arange(len(order)) + 3)
    seldom = np.flatnonzero(expected <= DIFFER)
    if not len(seldom):
        return NEVER
    judged, share = (
        (made.energy(made.early_logits(seen(outside))), STRANGE) if len(outside) else (energies, TOLD)
    )
    surely = float(np.quantile(judged, 1 - share, method="higher"))
    return max(surely, float(energies[order][seldom[-1]]))


def seen(vectors: Matrix) -> Matrix:
    """The early views."""
    return np.split(vectors, VIEWS, axis=1)[0]
