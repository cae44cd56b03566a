"""What the detectors say about one sample of each of many series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.anomaly.state import Array, Flags, Floats, Rows
from ml.anomaly.verdict import REASONS, Verdict


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
