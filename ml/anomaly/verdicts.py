"""What the detectors say about one sample of each of many series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml.anomaly.state import Array, Flags, Floats, Rows, State
from ml.anomaly.verdict import LINE, REASONS, Verdict


@dataclass(frozen=True)
class Verdicts:
    """Arrays, [series].

    Attributes:
        counted: false for samples that were passed over: not finite, late, or a duplicate.
        score: in [0, 1]; from `LINE` on an anomaly.
        news: the score where an alert would be due, else 0.
        expected, lower, upper: the band in the series' unit, as it was before the sample.
        firing: within an anomaly, its calm end included; `since` its first second, else NaN.
        reason: index into `REASONS` of the strongest detector.
        exhausted: seconds until the series' limit is reached, infinite where none is in sight.
    """

    at: Floats
    value: Floats
    counted: Flags
    score: Floats
    news: Floats
    expected: Floats
    lower: Floats
    upper: Floats
    firing: Flags
    since: Floats
    reason: Array
    exhausted: Floats

    def row(self, number: int) -> Verdict:
        fields = {name: array[number].item() for name, array in vars(self).items() if name != "reason"}
        return Verdict(**fields, reason=REASONS[int(self.reason[number])])


def told(verdicts: Verdicts) -> dict[str, Array]:
    """What a state remembers of what was said."""
    said = ("value", "score", "expected", "lower", "upper", "reason", "exhausted")
    return {f"said_{name}": getattr(verdicts, name) for name in said}


def told_elsewhere(said: Sequence[Verdict], state: State, rows: Rows) -> dict[str, Array]:
    """The same of another engine's verdicts about these rows, whose tolerance it did not know."""

    def field(name: str) -> Floats:
        return np.array([getattr(verdict, name) for verdict in said], np.float64)

    # Of the strength s/(1-s) a tolerance t leaves a t-th, so that no score, 1 included, divides by zero.
    told, tolerance = field("score"), state["tolerance"][rows]
    score = told / (told + tolerance * (1 - told))
    excused = (tolerance > 1) & (score < LINE)
    band = {f"said_{name}": field(name) for name in ("value", "expected", "lower", "upper", "exhausted")}
    return {
        **band,
        "said_score": score,
        "said_reason": np.array([REASONS.index(verdict.reason) for verdict in said], np.int8),
        "last_at": field("at"),
        "count": state["count"][rows] + 1,
        "firing_since": np.where(excused, np.nan, field("since")),
    }


def last(state: State) -> Verdicts:
    """What was said last of each series, [series]; as of samples that are not news any more."""
    return Verdicts(
        at=state["last_at"],
        value=state["said_value"],
        counted=state["count"] > 0,
        score=state["said_score"],
        news=np.zeros(len(state)),
        expected=state["said_expected"],
        lower=state["said_lower"],
        upper=state["said_upper"],
        firing=np.isfinite(state["firing_since"]),
        since=state["firing_since"],
        reason=state["said_reason"],
        exhausted=state["said_exhausted"],
    )


def nothing(at: Floats, value: Floats) -> Verdicts:
    """Verdicts on samples that were passed over."""
    size = len(at)
    none = np.full(size, np.nan)
    flags, zeros = np.zeros(size, np.bool_), np.zeros(size)
    reason = np.zeros(size, np.int8)
    return Verdicts(
        at, value, flags, zeros, zeros, none, none, none, flags, none, reason, np.full(size, np.inf)
    )


def spread_out(some: Verdicts, rows: Rows, over: Verdicts) -> Verdicts:
    """`over` with the verdicts of `some` in its rows."""
    made = {}
    for name, array in vars(over).items():
        made[name] = array.copy()
        made[name][rows] = getattr(some, name)
    return Verdicts(**made)
