"""May a challenger serve? Only when it is surely better on the same rows, and worse for nobody."""

from __future__ import annotations

import math
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
SEASON = 2 * math.log(1 + retraining.Policy().tolerance)
"""Of the log-odds: from one end of what a season does to the number of leavers to the other."""
TOLERANCE = 0.02
LEAST_ROWS = 200
LEAST_LEAVERS = 10


@dataclass(frozen=True)
class Verdict:
    """`chance`: share of paired bootstrap draws in which the challenger has the lower log-loss.

    `lasting`: share in which it is lower by LEAST_GAIN and more, whatever a season does to how many leave.
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
    gains = metrics.drawn_means(_by_season(new, old, labels))
    chance = float((gains[:, 0] > 0).mean())
    lasting = float((gains > LEAST_GAIN * metrics.log_loss(old, labels)).mean(axis=0).min())
    worse = _worse_segments(new, old, labels, segments)
    few = f"better by {LEAST_GAIN:.0%} and more in every season with a chance of {lasting:.1%} only"
    why = [
        *([f"better with a chance of {chance:.1%} only, {SURE:.0%} are needed"] if chance < SURE else []),
        *([f"{few}, {SURE:.0%} are needed"] if lasting < SURE <= chance else []),
        *([f"worse for {', '.join(worse)}"] if worse else []),
        *(["it has not scored beside the champion yet"] if shadow_cycles < 1 else []),
    ]
    good = f"Better with a chance of {chance:.1%}, worse for nobody."
    words = f"Not promoted: {'; '.join(why)}." if why else good
    return Verdict(not why, chance, lasting, metrics.scores(new, labels), metrics.scores(old, labels), words)


def _by_season(new: Floats, old: Floats, labels: Labels) -> Floats:
    """How much lower each row's log-loss is [rows, 3]: as it came out, and had a season more or fewer left.

    How many leave goes up and down with the season, and outcomes are known a label cycle late: a level that
    fits them may be the wrong one by now. Log-loss is linear in the outcome: where a chance moves by d, the
    gain moves by d times the difference of the log-odds. The chances are the challenger's, made to add up to
    those who left.
    """
    gain = metrics.losses(old, labels) - metrics.losses(new, labels)
    apart = metrics.log_odds(new) - metrics.log_odds(old)
    likely = metrics.levelled(new, labels)
    return np.column_stack(
        [gain + apart * (metrics.moved(likely, by) - likely) for by in (0.0, SEASON, -SEASON)]
    )


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
