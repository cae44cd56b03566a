"""When to train anew: by schedule, when the champion got worse, or when its probabilities stop adding up.

Drift alone never retrains; it opens an event. Pure functions; outcomes arrive late, so they are of past runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Policy:
    """`drop`: of the AUC against promotion; `least`: outcomes needed before anything is said; `tolerance`:
    how far the number of leavers may lie from what was expected, as a share: seasons alone do that.
    """

    every: timedelta = timedelta(days=7)
    drop: float = 0.03
    least: int = 300
    sigmas: float = 3.0
    tolerance: float = 0.25
    drift: float = 0.25


@dataclass(frozen=True, slots=True)
class Reason:
    kind: str
    words: str
    retrains: bool


def reasons(
    policy: Policy,
    *,
    now: datetime,
    trained_at: datetime,
    promised_auc: float,
    probabilities: Floats,
    labels: Labels,
    drift: Mapping[str, float],
    promised_error: float = 0.0,
) -> list[Reason]:
    """Args:
    promised_auc: what was measured when it was promoted, with its standard error `promised_error`.
    probabilities: what the champion said [rows], with the outcomes `labels` [rows] known since.
    drift: population stability index of each feature against training.
    """
    return [
        *_schedule(policy, now, trained_at),
        *_degradation(policy, (promised_auc, promised_error), probabilities, labels),
        *_calibration(policy, probabilities, labels),
        *(
            Reason("drift", f"{name} has shifted: PSI {value:.2f}.", retrains=False)
            for name, value in sorted(drift.items())
            if value >= policy.drift
        ),
    ]


def _schedule(policy: Policy, now: datetime, trained_at: datetime) -> list[Reason]:
    if now - trained_at < policy.every:
        return []
    return [Reason("schedule", f"The champion was trained on {trained_at:%Y-%m-%d}.", retrains=True)]


def _degradation(
    policy: Policy, promised: tuple[float, float], probabilities: Floats, labels: Labels
) -> list[Reason]:
    """The AUC has surely fallen by more than the drop that is borne; both figures have an error."""
    if not _enough(policy, labels):
        return []
    auc, error = auc_with_error(probabilities, labels)
    if auc + 1.645 * float(np.hypot(error, promised[1])) >= promised[0] - policy.drop:
        return []
    words = f"AUC {auc:.3f} on {len(labels)} outcomes; {promised[0]:.3f} when it was promoted."
    return [Reason("degradation", words, retrains=True)]


def _calibration(policy: Policy, probabilities: Floats, labels: Labels) -> list[Reason]:
    """More or fewer left than the probabilities add up to, by more than chance and what is borne explain.

    The observed-to-expected ratio (calibration in the large; Van Calster et al., 2016) against a margin.
    """
    if not _enough(policy, labels) or adds_up(policy, probabilities, labels):
        return []
    left, expected = labels.sum(), probabilities.sum()
    words = f"{left:.0f} left, {expected:.0f} were expected ({left / max(expected, 1e-9):.2f} times as many)."
    return [Reason("calibration", words, retrains=True)]


def adds_up(policy: Policy, probabilities: Floats, labels: Labels) -> bool:
    """Whether about as many left as the probabilities add up to."""
    expected, spread = probabilities.sum(), np.sqrt((probabilities * (1 - probabilities)).sum())
    borne, chance = 1 + policy.tolerance, policy.sigmas * spread
    return bool(expected / borne - chance <= labels.sum() <= expected * borne + chance)


def _enough(policy: Policy, labels: Labels) -> bool:
    return len(labels) >= policy.least and 10 <= labels.sum() <= len(labels) - 10


def auc_with_error(probabilities: Floats, labels: Labels) -> tuple[float, float]:
    """The AUC and its standard error (Hanley and McNeil, 1982)."""
    inside, outside = probabilities[labels == 1], np.sort(probabilities[labels == 0])
    below = np.searchsorted(outside, inside, "left") + np.searchsorted(outside, inside, "right")
    auc = float(below.mean() / (2 * len(outside)))
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    spread = auc * (1 - auc) + (len(inside) - 1) * (q1 - auc**2) + (len(outside) - 1) * (q2 - auc**2)
    return auc, float(np.sqrt(max(spread, 0.0) / (len(inside) * len(outside))))
