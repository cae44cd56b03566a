"""Values and short courses that a series has not had before.

A value is as new as it is far from the nearest one seen, on a scale that is linear within the usual spread
and logarithmic beyond (asinh). This is the one-dimensional case of distance-based outliers (Knorr and Ng,
VLDB 1998) with a bounded memory of leaders (Hartigan, Clustering Algorithms, 1975). The same for the last
few samples together is the left discord of the matrix profile (Yeh et al., ICDM 2016), against leaders in
place of all sub-sequences.
"""

from __future__ import annotations

import numpy as np

from ml.anomaly import level
from ml.anomaly.sample import Sample
from ml.anomaly.state import SHAPE, Array, Floats, State

VALUE_LINE, SHAPE_LINE = 0.055, 1.05
SPAN_LINE = 0.0137
"""A new value is also this share of all values' span away from the nearest: gaps are common in noisy
series.
"""
_USUAL, _WITHIN = 2.0, 0.5
"""Within so many spreads a new value is only half as strange: gaps between usual values are common."""
_VALUE_APART, _SHAPE_APART = 0.015, 0.35


def squashed(state: State, x: Array, spread: Floats) -> Array:
    """Distances from the series' location in spreads, far ones by their logarithm. `x`: [series, …].

    In the precision of what is remembered: half the memory to go through.
    """
    shape = (-1,) + (1,) * (x.ndim - 1)
    center, unit = state["center"].reshape(shape), spread.reshape(shape)
    with np.errstate(over="ignore"):
        found = (x - center.astype(np.float32)) / unit.astype(np.float32)
    return np.arcsinh(found, out=found)


def value(state: State, now: Sample) -> tuple[dict[str, Array], Floats]:
    """How far the sample is from any value seen."""
    spread, x = level.spread(state, now), _remembered(now.x)
    here = squashed(state, x, spread)
    apart = squashed(state, state["seen"], spread)
    apart -= here[:, None]
    changes, gap = _nearest(state, "seen", x, np.abs(apart, out=apart), _VALUE_APART)
    strength = np.minimum(gap / VALUE_LINE, _of_span(state, x) / SPAN_LINE)
    usual = np.abs(now.x - state["center"]) < _USUAL * spread
    return changes, np.where(usual, _WITHIN * strength, strength)


def _remembered(x: Floats) -> Array:
    """Values as they are remembered; those beyond a single's range are at its end."""
    most = np.finfo(np.float32).max
    return np.clip(x, -most, most).astype(np.float32)


def _of_span(state: State, x: Array) -> Floats:
    """The distance to the nearest value seen as a share of the span of all of them; infinite without one."""
    seen = state["seen"]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        off = seen - x[:, None]
        apart = np.fmin.reduce(np.abs(off, out=off), axis=1)
        span = np.fmax.reduce(seen, axis=1) - np.fmin.reduce(seen, axis=1)
        return np.where(span > 0, apart / span, np.inf).astype(np.float64)


def shape(state: State, now: Sample) -> tuple[dict[str, Array], Floats]:
    """How far the last samples' course is from any course seen."""
    unit = np.maximum(level.spread(state, now), np.sqrt(state["slow_variance"]))
    here = squashed(state, _remembered(now.x), unit)
    before = np.where(now.gap[:, None], np.nan, state["recent"])
    recent = np.concatenate([before[:, 1:], here[:, None]], axis=1)
    apart = np.sqrt(_square(state["shapes"] - recent[:, None, :]) / SHAPE)
    changes, gap = _nearest(state, "shapes", recent, apart, _SHAPE_APART)
    known = state["count"] > 4 * SHAPE
    return {**changes, "recent": recent}, np.where(known, gap / SHAPE_LINE, 0.0)


def _square(off: Array) -> Array:
    """Squared lengths, [series, shapes]. Sums over a last axis this short are slow, so it is written out."""
    off *= off
    found: Array = off[:, :, 0] + off[:, :, 1]
    for place in range(2, SHAPE):
        found += off[:, :, place]
    return found


def _nearest(
    state: State, name: str, new: Array, apart: Array, least: float
) -> tuple[dict[str, Array], Floats]:
    """The distance to the nearest leader; what is farther than `least` becomes a leader itself.

    A new leader takes a free place, else that of the one not met for longest.
    """
    rows = np.arange(len(state))
    least_apart = np.fmin.reduce(apart, axis=1)
    near = (apart == least_apart[:, None]).argmax(axis=1)
    gap = np.where(np.isnan(least_apart), np.inf, least_apart).astype(np.float64)
    valid = np.isfinite(new).reshape(len(state), -1).all(axis=1)
    led = (gap > least) & valid
    leaders, when = state[name], state[name + "_when"].copy()
    place = np.where(led, when.argmin(axis=1), near)
    known = np.isfinite(gap)
    when[rows[valid], place[valid]] = (state["count"][valid] + 1).astype(when.dtype)
    if led.any():
        leaders = leaders.copy()
        leaders[rows[led], place[led]] = new[led]
    return {name: leaders, name + "_when": when}, np.where(known & valid, gap, 0.0)
