"""From logits that the model has not been fitted to: temperature, bands and the limit of its scope.

Temperature scaling follows Guo et al., "On calibration of modern neural networks", ICML 2017; the score for
texts out of scope is the energy of Liu et al., "Energy-based out-of-distribution detection", NeurIPS 2020;
where a text may belong to several categories, the joint energy of Wang et al., "Can multi-label
classification networks know what they don't know?", NeurIPS 2021.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
NEVER = 1.01
ENOUGH = 50
"""Texts of a category from which on it gets a threshold of its own; below, all categories share one."""
KEPT = 0.98
"""Share of known texts that stay in scope where there are no examples of texts outside."""
_TEMPERATURES = np.geomspace(0.1, 5.0, 240)


@dataclass(frozen=True)
class Bands:
    """Confidence from which on a category is applied, and suggested."""

    apply_at: float
    suggest_at: float


def softmax(logits: Matrix) -> Matrix:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Matrix = (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def energy(logits: Matrix) -> Matrix:
    """High for texts like those trained on. Of raw logits: the temperature says nothing about scope."""
    top = logits.max(axis=1)
    found: Matrix = (top + np.log(np.exp(logits - top[:, None]).sum(axis=1))).astype(np.float32)
    return found


def sigmoid(logits: Matrix) -> Matrix:
    found: Matrix = (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)
    return found


def joint_energy(logits: Matrix) -> Matrix:
    """The energies of all categories, each by itself, added up."""
    found: Matrix = np.logaddexp(0, logits).sum(axis=1).astype(np.float32)
    return found


def rolled_up(probabilities: Matrix, owner: Labels, categories: int) -> Matrix:
    """Sums the columns of fine labels that belong to the same category."""
    merge = np.zeros((len(owner), categories), np.float32)
    merge[np.arange(len(owner)), owner] = 1.0
    summed: Matrix = probabilities @ merge
    return summed


def temperature(logits: Matrix, labels: Labels, owner: Labels) -> float:
    """The temperature with the smallest negative log-likelihood of the labels' categories."""
    rows, categories = np.arange(len(labels)), int(owner.max()) + 1
    losses = []
    for value in _TEMPERATURES:
        shares = rolled_up(softmax((logits / value).astype(np.float32)), owner, categories)
        losses.append(float(-np.log(shares[rows, owner[labels]] + 1e-12).mean()))
    return float(_TEMPERATURES[int(np.argmin(losses))])


def temperature_of_each(logits: Matrix, wanted: Flags) -> float:
    """As `temperature`, of [texts, categories], each category by itself."""
    sign = np.where(wanted, 1.0, -1.0)
    losses = [float(np.logaddexp(0, -sign * logits / value).mean()) for value in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def bands_of_each(
    probabilities: Matrix, wanted: Flags, categories: Sequence[str], precision: float
) -> Mapping[str, Bands]:
    """As `bands`, where a text may belong to several categories."""
    common = _apply_at(probabilities.ravel(), wanted.ravel(), precision)
    found = {}
    for number, name in enumerate(categories):
        enough = wanted[:, number].sum() >= ENOUGH
        apply_at = _apply_at(probabilities[:, number], wanted[:, number], precision) if enough else common
        found[name] = Bands(apply_at, min(apply_at, 1.0) / 2)
    return found


def bands(
    probabilities: Matrix, labels: Labels, categories: Sequence[str], precision: float
) -> Mapping[str, Bands]:
    """For each category the lowest confidence from which on its tags are right often enough.

    Half of it is enough for asking. A category that is too rare takes the threshold of all together.
    """
    confidence, said = probabilities.max(axis=1), probabilities.argmax(axis=1)
    hit = said == labels
    common = _apply_at(confidence, hit, precision)
    found = {}
    for number, name in enumerate(categories):
        own = said == number
        apply_at = _apply_at(confidence[own], hit[own], precision) if own.sum() >= ENOUGH else common
        found[name] = Bands(apply_at, min(apply_at, 1.0) / 2)
    return found


def _apply_at(confidence: Matrix, hit: npt.NDArray[np.bool_], precision: float) -> float:
    """Never below even odds, however right the texts seen here were: others will come."""
    order = np.argsort(-confidence, kind="stable")
    reached = np.cumsum(hit[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(reached >= precision)
    return max(0.5, float(confidence[order][good[-1]])) if len(good) else NEVER


def scope(inside: Matrix, outside: Matrix) -> float:
    """The energy below which a text is out of scope: what tells the two apart best."""
    if not len(outside):
        return float(np.quantile(inside, 1 - KEPT))
    limits = np.unique(np.concatenate([inside, outside]))
    kept = 1 - np.searchsorted(np.sort(inside), limits) / len(inside)
    caught = np.searchsorted(np.sort(outside), limits) / len(outside)
    return float(limits[int(np.argmax(kept + caught))])
