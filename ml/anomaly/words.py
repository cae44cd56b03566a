"""Why, in words: "p99 latency 4.2 s, expected 0.3-0.6 s for a Tuesday 10:00, for 6 min"."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from ml.anomaly.verdict import Verdict

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_WHY = {
    "none": "as usual",
    "value": "a value not seen before",
    "shape": "a course not seen before",
    "season": "out of season",
    "level": "a new level",
    "variance": "unusually lively",
    "likelihood": "harder to predict than usual",
    "dead": "it has stopped moving",
    "exhaustion": "its limit is near",
}


def reason(what: str, verdict: Verdict, unit: str = "") -> str:
    """One line for people. `what` names the metric; times are in UTC."""
    lasting = verdict.at - verdict.since if math.isfinite(verdict.since) else 0.0
    duration = f", for {span(lasting)}" if lasting >= 60 else ""
    if verdict.reason == "exhaustion":
        left = span(verdict.exhausted)
        return f"{what} {amount(verdict.value, unit)}: at this pace its limit is reached in {left}"
    band = f"{amount(verdict.lower)}-{amount(verdict.upper, unit)}"
    when = datetime.fromtimestamp(verdict.at, UTC)
    season = f" for a {when:%A %H:%M}" if verdict.reason == "season" else ""
    return f"{what} {amount(verdict.value, unit)}, expected {band}{season}{duration} ({_WHY[verdict.reason]})"


def amount(value: float, unit: str = "") -> str:
    """Three digits and a prefix: 4.2 s, 31.5 k, 0.004."""
    size, prefix = next(((s, p) for s, p in _PREFIXES if abs(value) >= s), (1.0, ""))
    tail = f" {prefix}{unit}" if prefix or unit else ""
    return f"{value / size:.3g}{tail}"


def span(seconds: float) -> str:
    """A duration in its largest unit that is at least one: 45 s, 6 min, 5 h, 3 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
