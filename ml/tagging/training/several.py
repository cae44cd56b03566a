"""A head for texts that may have several categories: one against the rest, each category by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ml.tagging import calibration, metrics
from ml.tagging.clean import clean
from ml.tagging.encoder import Encoder
from ml.tagging.head import FOLDS, L2, SCALE, STEPS, Head
from ml.tagging.training.data import Example, Names, Parts

Matrix = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


def fitted(
    encoder: Encoder, given: Parts, names: Names, precision: float, seed: int
) -> tuple[Head, dict[str, float]]:
    """Calibrated out of fold: there are too few texts to keep some aside."""
    vectors, wanted = _encoded(encoder, given.train), names.flags(given.train)
    weights, bias = fit(vectors, wanted)
    return _calibrated(_out_of_fold(vectors, wanted, seed), wanted, (weights, bias), names, precision, None)


def judged(
    encoder: Encoder, weights: Matrix, bias: Matrix, given: Parts, names: Names, precision: float
) -> tuple[Head, dict[str, float]]:
    """Calibrated on the validation texts."""
    logits = _logits(encoder, given.valid, weights, bias)
    strange = [*given.outside, *given.outside_valid]
    outside = _logits(encoder, strange, weights, bias) if strange else logits[:0]
    scope_at = calibration.scope(calibration.joint_energy(logits), calibration.joint_energy(outside))
    return _calibrated(logits, names.flags(given.valid), (weights, bias), names, precision, scope_at)


def _calibrated(
    logits: Matrix,
    wanted: Flags,
    learned: tuple[Matrix, Matrix],
    names: Names,
    precision: float,
    scope_at: float | None,
) -> tuple[Head, dict[str, float]]:
    temperature = calibration.temperature_of_each(logits, wanted)
    shares = calibration.sigmoid((logits / temperature).astype(np.float32))
    bands = calibration.bands_of_each(shares, wanted, names.categories, precision)
    made = Head(
        names.labels, names.categories, names.owner, *learned, temperature, bands, scope_at, several=True
    )
    best = wanted[np.arange(len(wanted)), shares.argmax(axis=1)]
    return made, {"accuracy": float(best.mean()), "micro_f1": metrics.micro_f1(shares, wanted)}


def fit(embeddings: Matrix, wanted: Flags, l2: float = L2) -> tuple[Matrix, Matrix]:
    """Logistic regressions of all categories at once, as `ml.tagging.head.fit` fits its multinomial one."""
    x = np.hstack([embeddings * SCALE, np.ones((len(embeddings), 1), np.float32)]).astype(np.float32)
    # One over the gradient's Lipschitz constant: the largest step that always descends.
    rate = np.float32(1.0 / (0.25 * np.linalg.norm(x, 2) ** 2 / len(x) + l2))
    weights = np.zeros((x.shape[1], wanted.shape[1]), np.float32)
    ahead = weights.copy()
    for step in range(STEPS):
        miss = calibration.sigmoid(x @ ahead) - wanted
        gradient = x.T @ miss / np.float32(len(x)) + np.float32(l2) * ahead
        moved = ahead - rate * gradient
        ahead = moved + np.float32(step / (step + 3)) * (moved - weights)
        weights = moved
    return weights[:-1].astype(np.float32), weights[-1].astype(np.float32)


def _out_of_fold(embeddings: Matrix, wanted: Flags, seed: int) -> Matrix:
    """Logits of each text by a head that has not seen it."""
    folds = np.random.default_rng(seed).permutation(len(wanted)) % FOLDS
    logits = np.empty(wanted.shape, np.float32)
    for fold in range(FOLDS):
        test = folds == fold
        weights, bias = fit(embeddings[~test], wanted[~test])
        logits[test] = embeddings[test] * SCALE @ weights + bias
    return logits


def _logits(encoder: Encoder, examples: Sequence[Example], weights: Matrix, bias: Matrix) -> Matrix:
    found: Matrix = (_encoded(encoder, examples) * SCALE @ weights + bias).astype(np.float32)
    return found


def _encoded(encoder: Encoder, examples: Sequence[Example]) -> Matrix:
    return encoder.encode([clean(example.text) for example in examples])
