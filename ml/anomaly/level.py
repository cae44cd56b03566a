"""Where a series lies and how far it strays: location, spread, means and variances, fast and slow.

Location and spread are the median and the median distance from it, followed by stochastic approximation
(Robbins and Monro, 1951), so that an outlier moves them no farther than any other sample does. Changes of
level and variance are told by a fast and a slow moving average (Roberts, "Control chart tests based on
geometric moving averages", 1959).
"""

from __future__ import annotations

import numpy as np

from ml.anomaly.sample import Sample
from ml.anomaly.state import Array, Floats, State

HALF_LIFE = 3000.0
FAST, SLOW = 12.0, 1500.0
TO_SIGMA, MAD_TO_SIGMA = 1.25, 1.4826
"""Of a normal distribution, its standard deviation over the mean and the median distance from its middle."""
_START, _STEP, _LONGEST_STEP = 20, 2.0, 0.2
_LEAST = 0.1
"""The spread in standard deviations, at least: series that hardly ever move have a median distance of 0."""
_LEVEL_LINE = 14.0
_VARIANCE_LINE = 30.0
_ENOUGH = 100


def weight(half_life: float, count: Array) -> Floats:
    """The newest sample's weight: that of a plain mean at first, of a fading one later."""
    found: Floats = np.maximum(1 - 0.5 ** (1 / half_life), 1 / (count + 1.0))
    return found


def floor(now: Sample) -> Floats:
    """The smallest spread that is told from rounding, [series]."""
    least: Floats = np.maximum(1e-9, 1e-6 * np.abs(now.value))
    return least


def spread(state: State, now: Sample) -> Floats:
    found: Floats = np.maximum(state["spread"], floor(now))
    return found


def standing(state: State, now: Sample) -> dict[str, Array]:
    """Location and spread with the new sample in them: a step towards it, however far it is."""
    off, usual = now.x - state["center"], state["spread"]
    starting = state["count"] < _START
    plain = 1 / (state["count"] + 1.0)
    step = np.minimum(_STEP * weight(HALF_LIFE, state["count"]), _LONGEST_STEP)
    median = state["center"] + step * np.maximum(usual, floor(now)) * np.sign(off)
    larger = usual * (1 + step * np.sign(np.abs(off) - usual / MAD_TO_SIGMA))
    first = usual + plain * (TO_SIGMA * np.abs(off) - usual)
    least = _LEAST * np.sqrt(state["slow_variance"])
    return {
        "center": np.where(starting, state["center"] + plain * off, median),
        "spread": np.maximum(np.where(starting, first, larger), least),
    }


def change(state: State, now: Sample) -> tuple[dict[str, Array], Floats, Floats]:
    """How far the fast mean is from the slow one, and how much livelier the series is than usual."""
    quick, calm = weight(FAST, state["count"]), weight(SLOW, state["count"])
    fast = state["fast"] + quick * (now.x - state["fast"])
    slow = state["slow"] + calm * (now.x - state["slow"])
    near = (1 - quick) * (state["fast_variance"] + quick * (now.x - state["fast"]) ** 2)
    far = (1 - calm) * (state["slow_variance"] + calm * (now.x - state["slow"]) ** 2)
    least = floor(now)
    known = state["count"] > _ENOUGH
    off = np.abs(fast - slow) / np.maximum(np.sqrt(state["slow_variance"]), least)
    lively = np.sqrt((near + least**2) / (state["slow_variance"] + least**2))
    changes = {"fast": fast, "slow": slow, "fast_variance": near, "slow_variance": far}
    return (
        changes,
        np.where(known, off / _LEVEL_LINE, 0.0),
        np.where(known, lively / _VARIANCE_LINE, 0.0),
    )
