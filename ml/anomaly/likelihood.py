"""How unlikely the last prediction errors are, given the errors there have been.

Ahmad, Lavin, Purdy and Agha, "Unsupervised real-time anomaly detection for streaming data", Neurocomputing
2017: the mean of the last few errors against a normal distribution of the many before. The prediction here
is simple exponential smoothing; errors are squashed, since those of live metrics have heavy tails.
"""

from __future__ import annotations

import math

import numpy as np

from ml.anomaly import level
from ml.anomaly.sample import Sample
from ml.anomaly.state import Array, Floats, State

_SMOOTHING, _SHORT = 3.0, 6.0
_LINE = 25.0
_HALF_LIFE = 1500.0
_ENOUGH = 100


def likelihood(state: State, now: Sample) -> tuple[dict[str, Array], Floats]:
    """Standard deviations by which the last errors' mean is above what it usually is."""
    error = np.arcsinh(np.abs(now.x - state["forecast"]) / level.spread(state, now))
    count = state["count"]
    short = state["error_short"] + level.weight(_SHORT, count) * (error - state["error_short"])
    share = level.weight(_HALF_LIFE, count)
    mean = state["error_mean"] + share * (error - state["error_mean"])
    variance = (1 - share) * (state["error_variance"] + share * (error - state["error_mean"]) ** 2)
    # A fading mean of errors strays less than a single error does.
    narrower = math.sqrt((2 ** (1 / _SHORT) - 1) / (2 ** (1 / _SHORT) + 1))
    usual = np.maximum(np.sqrt(state["error_variance"]), 0.05) * narrower
    off = np.maximum(short - state["error_mean"], 0.0) / usual
    changes = {
        "forecast": state["forecast"] + level.weight(_SMOOTHING, count) * (now.x - state["forecast"]),
        "error_short": short,
        "error_mean": mean,
        "error_variance": variance,
    }
    return changes, np.where(count > _ENOUGH, off / _LINE, 0.0)
