"""What a churn model is judged by. Pure functions of probabilities [rows] and labels [rows] (0 or 1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
_BINS = 10
_STEPS = 30


def auc(p: Floats, y: Labels) -> float:
    """The chance that a leaver scores higher than a stayer; ties count half (Mann-Whitney)."""
    inside, outside = p[y == 1], np.sort(p[y == 0])
    below = np.searchsorted(outside, inside, "left") + np.searchsorted(outside, inside, "right")
    return float(below.mean() / (2 * len(outside)))


def average_precision(p: Floats, y: Labels) -> float:
    """Area under the precision-recall curve as a sum of steps; ties are taken together."""
    order = np.argsort(-p, kind="stable")
    hits, last = np.cumsum(y[order]), np.append(np.diff(p[order]) != 0, [True])
    precision, found = (hits / np.arange(1, len(y) + 1))[last], hits[last]
    return float((np.diff(found, prepend=0) * precision).sum() / max(1, hits[-1]))


def brier(p: Floats, y: Labels) -> float:
    return float(((p - y) ** 2).mean())


def log_loss(p: Floats, y: Labels) -> float:
    return float(losses(p, y).mean())


def losses(p: Floats, y: Labels) -> Floats:
    """Log-loss of each row."""
    inside = np.clip(p, 1e-15, 1 - 1e-15)
    found: Floats = -np.where(y == 1, np.log(inside), np.log(1 - inside))
    return found


def ece(p: Floats, y: Labels) -> float:
    """Expected calibration error in ten bins of equal count."""
    parts = np.array_split(np.argsort(p, kind="stable"), _BINS)
    gaps = [abs(p[part].sum() - y[part].sum()) for part in parts]
    return float(sum(gaps) / len(y))


def lift(p: Floats, y: Labels, share: float = 0.1) -> float:
    """Leavers among the riskiest `share` against the base rate (Neslin et al., 2006)."""
    most = np.argsort(-p, kind="stable")[: max(1, round(len(p) * share))]
    return float(y[most].mean() / y.mean())


def decided(p: Floats, y: Labels, threshold: float) -> dict[str, float]:
    """Precision, recall, F1 and accuracy of acting at the threshold and above."""
    acts = p >= threshold
    hits = float((acts & (y == 1)).sum())
    precision, recall = hits / max(1, int(acts.sum())), hits / max(1, int(y.sum()))
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "accuracy": float((acts == (y == 1)).mean()),
    }


def best_f1(p: Floats, y: Labels) -> float:
    """The threshold with the highest F1; use it on other rows than these."""
    order = np.argsort(-p, kind="stable")
    hits = np.cumsum(y[order])
    scores = 2 * hits / (np.arange(1, len(y) + 1) + y.sum())
    best = int(scores.argmax())
    after = p[order[best + 1]] if best + 1 < len(p) else p[order[best]]
    return float((p[order[best]] + after) / 2)


SCORES: Mapping[str, Callable[[Floats, Labels], float]] = {
    "auc": auc,
    "average_precision": average_precision,
    "brier": brier,
    "log_loss": log_loss,
    "ece": ece,
    "lift_10": lift,
}


def scores(p: Floats, y: Labels) -> dict[str, float]:
    return {name: score(p, y) for name, score in SCORES.items()}


def intervals(p: Floats, y: Labels, draws: int = 300, seed: int = 0) -> dict[str, tuple[float, float]]:
    """95 % percentile bootstrap of each score over rows."""
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in SCORES}
    for _ in range(draws):
        rows = rng.integers(0, len(y), len(y))
        if 0 < y[rows].sum() < len(y):
            for name, score in SCORES.items():
                drawn[name].append(score(p[rows], y[rows]))
    return {name: _middle(values) for name, values in drawn.items() if values}


def _middle(values: list[float]) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def chance_better(new: Floats, old: Floats, y: Labels) -> float:
    """The share of paired bootstrap draws in which the log-loss of `new` is lower."""
    return float((drawn_means(losses(old, y) - losses(new, y)) > 0).mean())


def drawn_means(values: Floats, draws: int = 2000, seed: int = 0) -> Floats:
    """Means of `values` [rows, ...] over bootstrap draws of the rows: [draws, ...]."""
    rng, rows = np.random.default_rng(seed), len(values)
    often = (np.bincount(rng.integers(0, rows, rows), minlength=rows) for _ in range(draws))
    return np.asarray([drawn @ values / rows for drawn in often])


def log_odds(p: Floats) -> Floats:
    inside = np.clip(p, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(inside) - np.log1p(-inside), dtype=np.float64)


def moved(p: Floats, by: float) -> Floats:
    """The probabilities with their log-odds moved together."""
    return np.asarray(1 / (1 + np.exp(-(log_odds(p) + by))), dtype=np.float64)


def levelled(p: Floats, y: Labels) -> Floats:
    """The probabilities with their log-odds moved together so that they add up to those who left."""
    shift = 0.0
    for _ in range(_STEPS):
        said = moved(p, shift)
        slope = (said * (1 - said)).sum()
        # Newton's steps; a long one could overshoot where nearly all are sure.
        shift += float(np.clip((y.sum() - said.sum()) / max(slope, 1e-9), -1, 1))
    return moved(p, shift)
