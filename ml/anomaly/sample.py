"""One sample of each of many series, as the detectors see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.anomaly.state import Array, Flags, Floats, State

GAP = 5.0
"""Usual intervals without a sample after which a series' recent course counts as interrupted."""
LARGEST = 1e100
"""Values beyond count as infinite: their squares would not be finite."""
_FIRST_INTERVALS = 20.0


@dataclass(frozen=True)
class Sample:
    """Times in seconds since 1970 and values relative to the series' origin, [series], all finite.

    `value` is what was measured; `x` is relative to the origin. `gap`: nothing came for long.
    """

    at: Floats
    value: Floats
    x: Floats
    gap: Flags


def usable(state: State, at: Floats, values: Floats) -> Flags:
    """Samples that are finite and newer than the last one: no late ones, no duplicates."""
    flags: Flags = (np.abs(values) < LARGEST) & np.isfinite(at) & (at > state["last_at"])
    return flags


def rates(state: State, at: Floats, values: Floats, counter: Flags) -> Floats:
    """Counters as their increase a second; after a reset the counter's value is the increase.

    A counter's first sample has no rate: NaN.
    """
    elapsed = at - state["last_at"]
    increase = np.where(values < state["last_raw"], values, values - state["last_raw"])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(counter, increase / elapsed, values)


def taken(state: State, at: Floats, values: Floats) -> tuple[dict[str, Array], Sample]:
    """The sample and what it changes about the series' clock."""
    first = state["count"] == 0
    origin = np.where(first, values, state["origin"])
    elapsed = np.where(first, 0.0, at - state["last_at"])
    usual = np.where(np.isnan(state["interval"]), elapsed, state["interval"])
    gap = ~first & (state["count"] > 1) & (elapsed > GAP * np.maximum(usual, 1e-3))
    weight = 1 / np.minimum(state["count"] + 1.0, _FIRST_INTERVALS)
    moved = usual + weight * (np.where(gap, usual, elapsed) - usual)
    changes = {
        "count": state["count"] + 1,
        "last_at": at,
        "origin": origin,
        "interval": np.where(first, np.nan, moved),
    }
    return changes, Sample(at, values, values - origin, gap)
