"""What a tagger is judged by. Pure functions of probabilities [texts, classes] and labels [texts]."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
BINS = 15
DRAWS = 2000


def right(probabilities: Floats, labels: Labels) -> Flags:
    flags: Flags = probabilities.argmax(axis=1) == labels
    return flags


def ece(probabilities: Floats, labels: Labels) -> float:
    """Expected calibration error (Naeini et al., 2015) in 15 bins of equal width."""
    confidence, hit = probabilities.max(axis=1), right(probabilities, labels)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs(confidence[bins == b].sum() - hit[bins == b].sum()) for b in range(BINS)]
    return float(sum(gaps) / len(labels))


def coverage(probabilities: Floats, labels: Labels, precision: float) -> float:
    """The largest share of texts, most confident first, that is right with the precision."""
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    reached = np.cumsum(right(probabilities, labels)[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(reached >= precision)
    return float((good[-1] + 1) / len(order)) if len(good) else 0.0


def auroc(inside: Floats, outside: Floats) -> float:
    """The chance that a text inside scores higher than one outside; ties count half."""
    ordered = np.sort(outside)
    below = np.searchsorted(ordered, inside, "left") + np.searchsorted(ordered, inside, "right")
    return float(below.mean() / (2 * len(outside)))


def micro_f1(probabilities: Floats, wanted: Flags, at: float = 0.5) -> float:
    """Of all [texts, categories] together, where a text may have several; `at`: what counts as said."""
    said = probabilities >= at
    both = float((said & wanted).sum())
    return 2 * both / float(said.sum() + wanted.sum()) if both else 0.0


def interval(flags: Flags, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean by percentile bootstrap."""
    # The number of hits in a resample of hits and misses is binomial: no need to draw the texts.
    means = np.random.default_rng(seed).binomial(len(flags), flags.mean(), DRAWS) / len(flags)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def difference(new: Flags, old: Flags, seed: int = 0) -> tuple[float, float, float]:
    """Accuracy of `new` over `old` on the same texts, and its 95 % interval by paired bootstrap."""
    gaps = new.astype(np.int64) - old.astype(np.int64)
    shares = [float((gaps == value).mean()) for value in (-1, 0, 1)]
    draws = np.random.default_rng(seed).multinomial(len(gaps), shares, DRAWS)
    low, high = np.quantile((draws[:, 2] - draws[:, 0]) / len(gaps), (0.025, 0.975))
    return float(gaps.mean()), float(low), float(high)


def confusion(predicted: Labels, labels: Labels, classes: int) -> npt.NDArray[np.int64]:
    """Rows are the truth, columns what was said."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (labels, predicted), 1)
    return table
