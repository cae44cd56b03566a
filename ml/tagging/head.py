"""The head: multinomial logistic regression on embeddings, with a calibrated temperature and bands.

It knows fine labels; what a person sees are categories (queues), to which the labels are rolled up. What the
early view of a text tells surely enough needs no late one (`ml.tagging.encoder`). Trained by gradient descent
with Nesterov's momentum (Nesterov, 1983): the problem is convex and small, so this takes seconds and gives
the same result everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.tagging import calibration
from ml.tagging.calibration import Bands, rolled_up, softmax

Matrix = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Learn = Callable[[Matrix, Labels], tuple[Matrix, Matrix]]
"""Weights and bias from embeddings and the numbers of their labels."""
FOLDS = 5
STEPS = 600
L2 = 1e-3
_FAR = np.float32(1000)
NEVER = 1e9
"""An energy that no text has."""
SCALE = 12.0
"""Views have length 1; scaled up, the regression needs no huge weights."""


@dataclass(frozen=True)
class Early:
    """What the early view tells alone: the head's weights for it, with this `bias` [labels] and temperature.

    Texts with the energy `enough_at` or a higher one are told.
    """

    bias: Matrix
    temperature: float
    enough_at: float


@dataclass(frozen=True)
class Head:
    """`weights` [dimensions, labels], `bias` [labels]; softmax(logits / temperature), summed by category.

    `owner` says for each label the place of its category in `categories`. A text whose energy is below
    `scope_at` belongs to none; None: the head does not judge that. With `several`, a text may belong to more
    than one category, and each is judged by itself; labels are categories then. `early` None: the views have
    no regressions of their own.
    """

    labels: tuple[str, ...]
    categories: tuple[str, ...]
    owner: tuple[int, ...]
    weights: Matrix
    bias: Matrix
    temperature: float
    bands: Mapping[str, Bands]
    scope_at: float | None = None
    several: bool = False
    early: Early | None = None

    def logits(self, embeddings: Matrix, told: Flags | None = None) -> Matrix:
        """Shape [texts, labels]; `told`: of which texts there is an early view only."""
        found: Matrix = (embeddings * SCALE @ self.weights + self.bias).astype(np.float32)
        if self.early and told is not None:
            found[told] = self.early_logits(embeddings[told, : embeddings.shape[1] // 2])
        return found

    def enough(self, early: Matrix) -> Flags:
        """Which texts are told by their early views [texts, dimensions / 2] alone."""
        if self.early is None:
            return np.zeros(len(early), np.bool_)
        sure: Flags = self.energy(self.early_logits(early)) >= self.early.enough_at
        return sure

    def early_logits(self, views: Matrix) -> Matrix:
        """Of early views alone, as if the head's temperature were theirs; zeros where they tell nothing."""
        if self.early is None:
            return np.zeros((len(views), len(self.labels)), np.float32)
        logits = views * SCALE @ self.weights[: views.shape[1]] + self.early.bias
        return (logits * np.float32(self.temperature / self.early.temperature)).astype(np.float32)

    def probabilities(self, logits: Matrix) -> Matrix:
        """Shape [texts, categories]; each row sums to 1, unless the head knows several a text."""
        if self.several:
            return calibration.sigmoid((logits / self.temperature).astype(np.float32))
        fine = softmax((logits / self.temperature).astype(np.float32))
        return rolled_up(fine, np.array(self.owner), len(self.categories))

    def outside(self, embeddings: Matrix, told: Flags | None = None) -> Flags:
        """Which texts are unlike anything that the head was trained on."""
        limit = -np.inf if self.scope_at is None else self.scope_at
        below: Flags = self.belonging(embeddings, told) < limit
        return below

    def belonging(self, embeddings: Matrix, told: Flags | None = None) -> Matrix:
        """High for texts like those trained on; shape [texts].

        It is the energy of what the late view says, where each view has a regression of its own: that tells
        better what is outside. What is told by its early view is surely inside, and far above all others.
        """
        if self.early is None:
            return self.energy(self.logits(embeddings))
        half = embeddings.shape[1] // 2
        meant = embeddings[:, half:] * SCALE @ self.weights[half:] + (self.bias - self.early.bias)
        found = self.energy(meant.astype(np.float32))
        if told is not None:
            found[told] = _FAR + self.energy(self.early_logits(embeddings[told, :half]))
        return found

    def energy(self, logits: Matrix) -> Matrix:
        """Shape [texts]."""
        return calibration.joint_energy(logits) if self.several else calibration.energy(logits)


def train(
    embeddings: Matrix,
    labels: Sequence[str],
    *,
    precision: float,
    seed: int = 0,
    homes: Mapping[str, str] | None = None,
    learn: Learn | None = None,
    limited: bool = False,
) -> Head:
    """Fit on few examples, each of which is also used, out of fold, to calibrate and choose the bands.

    `precision` is the wanted share of right tags among those applied without asking; `homes` the category
    of each label, where labels are finer than categories; `learn` is `fit`, where nothing else is known.
    `limited`: the head tells what is out of its scope, by what few of the examples look like, out of fold.
    """
    names = tuple(sorted(set(labels)))
    owned = [(homes or {}).get(name, name) for name in names]
    categories = tuple(sorted(set(owned)))
    owner = np.array([categories.index(home) for home in owned])
    numbers = np.array([names.index(label) for label in labels], np.int64)
    chosen = learn or (lambda vectors, wanted: fit(vectors, wanted, len(names)))
    logits = _out_of_fold(embeddings, numbers, len(names), seed, chosen)
    temperature = calibration.temperature(logits, numbers, owner)
    shares = rolled_up(softmax((logits / temperature).astype(np.float32)), owner, len(categories))
    bands = calibration.bands(shares, owner[numbers], categories, precision)
    weights, bias = chosen(embeddings, numbers)
    energies = calibration.energy(logits)
    scope_at = calibration.scope(energies, energies[:0]) if limited else None
    return Head(names, categories, tuple(owner.tolist()), weights, bias, temperature, bands, scope_at)


def fit(embeddings: Matrix, labels: Labels, classes: int, l2: float = L2) -> tuple[Matrix, Matrix]:
    return fit_shares(embeddings, np.eye(classes, dtype=np.float32)[labels], l2)


def fit_shares(
    embeddings: Matrix, wanted: Matrix, l2: float, steps: int = STEPS, counts: Matrix | None = None
) -> tuple[Matrix, Matrix]:
    """As `fit`, where texts belong to classes by shares (rows of `wanted`) and count more or less."""
    x = np.hstack([embeddings * SCALE, np.ones((len(embeddings), 1), np.float32)]).astype(np.float32)
    share = np.float32(1 / len(x)) if counts is None else (counts / counts.sum())[:, None].astype(np.float32)
    # One over the gradient's Lipschitz constant: the largest step that always descends.
    rate = np.float32(1.0 / (0.5 * np.linalg.norm(x * np.sqrt(share), 2) ** 2 + l2))
    weights = np.zeros((x.shape[1], wanted.shape[1]), np.float32)
    ahead = weights.copy()
    for step in range(steps):
        gradient = x.T @ (share * (softmax(x @ ahead) - wanted)) + np.float32(l2) * ahead
        moved = ahead - rate * gradient
        ahead = moved + np.float32(step / (step + 3)) * (moved - weights)
        weights = moved
    return weights[:-1].astype(np.float32), weights[-1].astype(np.float32)


def _out_of_fold(embeddings: Matrix, labels: Labels, classes: int, seed: int, learn: Learn) -> Matrix:
    """Logits of each text by a head that has not seen it; folds keep the share of each class."""
    folds = np.empty(len(labels), np.int64)
    draw = np.random.default_rng(seed)
    for number in range(classes):
        rows = draw.permutation(np.flatnonzero(labels == number))
        folds[rows] = np.arange(len(rows)) % FOLDS
    logits = np.empty((len(labels), classes), np.float32)
    for fold in range(FOLDS):
        test = folds == fold
        weights, bias = learn(embeddings[~test], labels[~test])
        logits[test] = embeddings[test] * SCALE @ weights + bias
    return logits
