"""When a series that grows or shrinks steadily will reach its limit: "disk full in 5 h".

Least squares over a few fading hours, as Prometheus' `predict_linear` does over a window; the line counts
only where it explains the series.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.anomaly.sample import Sample
from ml.anomaly.state import Array, Flags, Floats, State

_HALF_LIFE = 6 * 3600.0
_EXPLAINED = 0.9
_HORIZON = 6 * 3600.0
_ENOUGH = 60


@dataclass(frozen=True)
class Exhaustion:
    """Seconds until the limit is reached, infinite where none is in sight, [series]."""

    seconds: Floats


def trend(state: State, now: Sample, limit: Floats) -> tuple[dict[str, Array], Floats, Exhaustion]:
    """1 where the limit is six hours away, more where it is nearer. `limit`: NaN where there is none."""
    changes = _line(state, now)
    slope, explained = _slope(changes)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = (limit - now.value) / slope
    sure: Flags = (explained > _EXPLAINED) & (state["count"] > _ENOUGH) & np.isfinite(left) & (left > 0)
    seconds = np.where(sure, left, np.inf)
    return changes, np.minimum(_HORIZON / np.maximum(seconds, 60.0), 20.0), Exhaustion(seconds)


def _line(state: State, now: Sample) -> dict[str, Array]:
    """Sums of a regression on the time since the newest sample, carried over to the new one."""
    first = state["count"] == 0
    moved = np.where(first, 0.0, now.at - np.where(first, 0.0, state["last_at"]))
    kept = np.where(first, 0.0, 0.5 ** (moved / _HALF_LIFE))
    weight = kept * state["line_weight"]
    time = kept * state["line_time"] - weight * moved
    time_time = kept * (state["line_time_time"] - 2 * moved * state["line_time"]) + weight * moved**2
    value = kept * state["line_value"]
    time_value = kept * state["line_time_value"] - moved * value
    return {
        "line_weight": weight + 1,
        "line_time": time,
        "line_value": value + now.x,
        "line_time_time": time_time,
        "line_time_value": time_value,
        "line_value_value": kept * state["line_value_value"] + now.x**2,
    }


def _slope(line: dict[str, Array]) -> tuple[Floats, Floats]:
    """Change a second, and the share of the variation that the line explains."""
    weight = line["line_weight"]
    times = line["line_time_time"] - line["line_time"] ** 2 / weight
    values = line["line_value_value"] - line["line_value"] ** 2 / weight
    both = line["line_time_value"] - line["line_time"] * line["line_value"] / weight
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(times > 0, both / times, 0.0)
        explained = np.where((times > 0) & (values > 0), both**2 / (times * values), 0.0)
    return slope, explained
