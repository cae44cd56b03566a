"""Anomalies of one service in one window are one group, its likely cause first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ml.anomaly.verdict import Verdict

WINDOW = 600.0
"""Seconds within which anomalies of a service belong together."""


@dataclass(frozen=True)
class Anomaly:
    """One series' anomaly; `labels` are the series'."""

    series: str
    labels: Mapping[str, str]
    verdict: Verdict


def grouped(anomalies: Sequence[Anomaly], label: str) -> list[list[Anomaly]]:
    """Groups by the label's value and window; what began first, then what is furthest off, leads."""
    ordered = sorted(anomalies, key=lambda a: (a.verdict.since, -a.verdict.score, a.series))
    found: list[list[Anomaly]] = []
    for each in ordered:
        home = next((group for group in found if _together(group, each, label)), None)
        if home is None:
            found.append([each])
        else:
            home.append(each)
    return found


def _together(group: Sequence[Anomaly], each: Anomaly, label: str) -> bool:
    same = group[0].labels.get(label, "") == each.labels.get(label, "")
    return same and each.verdict.since - group[-1].verdict.since <= WINDOW
