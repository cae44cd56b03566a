"""May a challenger serve? Only when it is surely better on the same rows, and worse for nobody."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.churn.training import metrics

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
SURE = 0.95
TOLERANCE = 0.02
LEAST_ROWS = 200
LEAST_LEAVERS = 10


@dataclass(frozen=True)
class Verdict:
    """`chance`: share of paired bootstrap draws in which the challenger has the lower log-loss."""

    passed: bool
    chance: float
    challenger: dict[str, float]
    champion: dict[str, float]
    words: str

    def told(self) -> dict[str, Any]:
        return asdict(self)


def judge(
    new: Floats, old: Floats, labels: Labels, segments: npt.NDArray[Any] | None = None, shadow_cycles: int = 1
) -> Verdict:
    """Compare on the same rows, which the challenger has not learned from.

    `shadow_cycles`: how often the challenger has scored beside the champion.
    """
    chance = metrics.chance_better(new, old, labels)
    worse = _worse_segments(new, old, labels, segments)
    why = [
        *([f"better with a chance of {chance:.1%} only, {SURE:.0%} are needed"] if chance < SURE else []),
        *([f"worse for {', '.join(worse)}"] if worse else []),
        *(["it has not scored beside the champion yet"] if shadow_cycles < 1 else []),
    ]
    good = f"Better with a chance of {chance:.1%}, worse for nobody."
    words = f"Not promoted: {'; '.join(why)}." if why else good
    return Verdict(not why, chance, metrics.scores(new, labels), metrics.scores(old, labels), words)


def intervals(new: Floats, old: Floats, labels: Labels) -> dict[str, dict[str, tuple[float, float]]]:
    """95 % intervals of both models' scores on the same rows, for those who decide; they take seconds."""
    return {
        "challenger_intervals": metrics.intervals(new, labels),
        "champion_intervals": metrics.intervals(old, labels),
    }


def _worse_segments(new: Floats, old: Floats, labels: Labels, segments: npt.NDArray[Any] | None) -> list[str]:
    """Segments, large enough to say so, whose log-loss rose by more than the tolerance."""
    if segments is None:
        return []
    found = []
    for name in np.unique(segments):
        rows = segments == name
        if rows.sum() < LEAST_ROWS or labels[rows].sum() < LEAST_LEAVERS:
            continue
        gap = metrics.log_loss(new[rows], labels[rows]) - metrics.log_loss(old[rows], labels[rows])
        found += [str(name)] if gap > TOLERANCE else []
    return found
