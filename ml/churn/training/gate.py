"""May a challenger serve? Only when it is surely better on the same rows, and worse for nobody."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.churn import retraining
from ml.churn.training import metrics

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
SURE = 0.95
LEAST_GAIN = 0.01
"""Of the champion's log-loss: a gain must outlast the label cycle in which the world goes on."""
TOLERANCE = 0.02
LEAST_ROWS = 200
LEAST_LEAVERS = 10


@dataclass(frozen=True)
class Verdict:
    """`chance`: share of paired bootstrap draws in which the challenger has the lower log-loss.

    `lasting`: share in which it is lower by LEAST_GAIN and more when neither profits from its level.
    """

    passed: bool
    chance: float
    lasting: float
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
    lasting = _lasting(new, old, labels) if chance >= SURE else 0.0
    worse = _worse_segments(new, old, labels, segments)
    few = f"better by {LEAST_GAIN:.0%} and more, its level aside, with a chance of {lasting:.1%} only"
    why = [
        *([f"better with a chance of {chance:.1%} only, {SURE:.0%} are needed"] if chance < SURE else []),
        *([f"{few}, {SURE:.0%} are needed"] if lasting < SURE <= chance else []),
        *([f"worse for {', '.join(worse)}"] if worse else []),
        *(["it has not scored beside the champion yet"] if shadow_cycles < 1 else []),
    ]
    good = f"Better with a chance of {chance:.1%}, worse for nobody."
    words = f"Not promoted: {'; '.join(why)}." if why else good
    return Verdict(not why, chance, lasting, metrics.scores(new, labels), metrics.scores(old, labels), words)


def _lasting(new: Floats, old: Floats, labels: Labels) -> float:
    """The chance of a gain that is worth a change and does not come from the level alone.

    How many leave goes up and down with the season; who leaves rather than another does not. Outcomes are
    known a label cycle late, so a level that fits them may be the wrong one by now. Where the champion's own
    does not fit at all, the level counts.
    """
    if retraining.adds_up(retraining.Policy(), old, labels):
        new, old = metrics.levelled(new, labels), metrics.levelled(old, labels)
    return metrics.chance_better(new, old, labels, LEAST_GAIN * metrics.log_loss(old, labels))


def chance_outdone(before: Floats, serving: Floats, labels: Labels) -> float:
    """The chance that the model before would have said it better; 0 where too few say so.

    After a promotion outcomes come in that no gate could know.
    """
    if len(labels) < LEAST_ROWS or labels.sum() < LEAST_LEAVERS:
        return 0.0
    return metrics.chance_better(before, serving, labels)


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
