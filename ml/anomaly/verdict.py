"""What the detectors say about one sample of one series."""

from __future__ import annotations

from dataclasses import dataclass

REASONS = ("none", "value", "shape", "season", "level", "variance", "likelihood", "dead", "exhaustion")
LINE = 0.5
"""The score from which on a sample is an anomaly."""


@dataclass(frozen=True)
class Verdict:
    """The fields are those of `ml.anomaly.verdicts.Verdicts`, of one series."""

    at: float
    value: float
    counted: bool
    score: float
    news: float
    expected: float
    lower: float
    upper: float
    firing: bool
    since: float
    reason: str
    exhausted: float
