"""The head: multinomial logistic regression on frozen embeddings, with a calibrated temperature.

Trained by gradient descent with Nesterov's momentum (Nesterov, 1983): the problem is convex and small,
so this takes a second and gives the same result everywhere. Temperature scaling follows Guo et al.,
"On calibration of modern neural networks", ICML 2017, on out-of-fold logits.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

Matrix = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
FOLDS = 5
STEPS = 600
L2 = 1e-3
SCALE = 12.0
"""Embeddings have length 1; scaled up, the regression needs no huge weights."""
_TEMPERATURES = np.geomspace(0.2, 5.0, 200)


@dataclass(frozen=True)
class Head:
    """`weights` [dimensions, classes], `bias` [classes]; probabilities are softmax(logits / temperature)."""

    classes: tuple[str, ...]
    weights: Matrix
    bias: Matrix
    temperature: float
    apply_at: float
    suggest_at: float

    def probabilities(self, embeddings: Matrix) -> Matrix:
        """Shape [texts, classes]; each row sums to 1."""
        logits = embeddings * SCALE @ self.weights + self.bias
        return softmax((logits / self.temperature).astype(np.float32))

    def save(self, folder: Path) -> None:
        save_file({"weights": self.weights, "bias": self.bias}, folder / "head.safetensors")
        facts = {
            "classes": self.classes,
            "temperature": self.temperature,
            "apply_at": self.apply_at,
            "suggest_at": self.suggest_at,
        }
        (folder / "head.json").write_text(json.dumps(facts, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Head:
        tensors = load_file(folder / "head.safetensors")
        facts = json.loads((folder / "head.json").read_text())
        return cls(tuple(facts.pop("classes")), tensors["weights"], tensors["bias"], **facts)


def train(embeddings: Matrix, labels: Sequence[str], *, precision: float, seed: int = 0) -> Head:
    """Fit, calibrate and choose the bands.

    Args:
        embeddings: float32 [texts, dimensions], rows of length 1.
        labels: one class a text.
        precision: share of right tags wanted among those that are applied without asking.
        seed: of the folds.
    """
    classes = tuple(sorted(set(labels)))
    numbers = np.array([classes.index(label) for label in labels], np.int64)
    logits = _out_of_fold(embeddings, numbers, len(classes), seed)
    temperature = _temperature(logits, numbers)
    apply_at, suggest_at = _bands(softmax(logits / temperature), numbers, precision)
    weights, bias = _fit(embeddings, numbers, len(classes))
    return Head(classes, weights, bias, temperature, apply_at, suggest_at)


def softmax(logits: Matrix) -> Matrix:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Matrix = (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def _fit(embeddings: Matrix, labels: Labels, classes: int) -> tuple[Matrix, Matrix]:
    x = np.hstack([embeddings * SCALE, np.ones((len(embeddings), 1), np.float32)])
    wanted = np.eye(classes, dtype=np.float32)[labels]
    # One over the gradient's Lipschitz constant: the largest step that always descends.
    rate = np.float32(1.0 / (0.5 * np.linalg.norm(x, 2) ** 2 / len(x) + L2))
    weights = np.zeros((x.shape[1], classes), np.float32)
    ahead = weights.copy()
    for step in range(STEPS):
        gradient = x.T @ (softmax(x @ ahead) - wanted) / len(x) + L2 * ahead
        moved = ahead - rate * gradient
        ahead = moved + np.float32(step / (step + 3)) * (moved - weights)
        weights = moved
    return weights[:-1].astype(np.float32), weights[-1].astype(np.float32)


def _out_of_fold(embeddings: Matrix, labels: Labels, classes: int, seed: int) -> Matrix:
    """Logits of each text by a head that has not seen it; folds keep the share of each class."""
    folds = np.empty(len(labels), np.int64)
    draw = np.random.default_rng(seed)
    for number in range(classes):
        rows = draw.permutation(np.flatnonzero(labels == number))
        folds[rows] = np.arange(len(rows)) % FOLDS
    logits = np.empty((len(labels), classes), np.float32)
    for fold in range(FOLDS):
        test = folds == fold
        weights, bias = _fit(embeddings[~test], labels[~test], classes)
        logits[test] = embeddings[test] * SCALE @ weights + bias
    return logits


def _temperature(logits: Matrix, labels: Labels) -> float:
    """The temperature with the smallest negative log-likelihood."""
    rows = np.arange(len(labels))
    losses = [-np.log(softmax(logits / t)[rows, labels] + 1e-12).mean() for t in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def _bands(probabilities: Matrix, labels: Labels, precision: float) -> tuple[float, float]:
    """The lowest confidence from which on the tags are right often enough, and half of it for asking.

    Out-of-fold, so it holds for texts that the head has not seen; 1.01 (never) if nothing is sure enough.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    order = np.argsort(-confidence)
    reached = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(reached >= precision)
    apply_at = float(confidence[order][good[-1]]) if len(good) else 1.01
    return apply_at, min(apply_at, 1.0) / 2
