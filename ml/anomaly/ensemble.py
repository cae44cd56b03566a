"""All detectors together: from a state and a sample of each series to new states and verdicts.

Every detector gives a strength that is 1 where it would alert by itself. What could be chance counts for
less: by one factor for all, and the more so the more frequent a series' alerts are. Then the strongest
decides the score, s/(1+s), and the reason. The lines are few and the same for every series.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.anomaly import level, novelty, rarity
from ml.anomaly.dead import dead
from ml.anomaly.hold import held
from ml.anomaly.likelihood import likelihood
from ml.anomaly.sample import Sample, rates, taken, usable
from ml.anomaly.season import Season, season
from ml.anomaly.state import Array, Flags, Floats, State
from ml.anomaly.trend import trend
from ml.anomaly.verdict import REASONS
from ml.anomaly.verdicts import Verdicts, nothing, spread_out, told

_BAND = 3.0
_FAR = 4.0 / _BAND
"""An anomaly goes on while values are this many half-bands away."""
_SURE = REASONS.index("dead")
"""From this reason on: a metric that has stopped, a limit that comes near. These do not happen by chance."""
CALM = 1.25
"""What could be chance has to be this many times as far off as each detector by itself asks for. With it a
score of 0.5 is what `benchmarks/anomaly_nab.py` chooses on all folders, by the rule by which it chooses a
threshold for each folder on the others.
"""
WARM_UP = 150
"""Samples of a series before which nothing about it is an anomaly."""


@dataclass(frozen=True)
class Kinds:
    """What is known of each series, [series]: whether it is a counter, and the limit it must not reach or
    NaN.
    """

    counter: Flags
    limit: Floats
    warm_up: int = WARM_UP

    def rows(self, rows: Array) -> Kinds:
        return Kinds(self.counter[rows], self.limit[rows], self.warm_up)


def gauges(series: int) -> Kinds:
    """Kinds of series of which nothing special is known."""
    return Kinds(np.zeros(series, np.bool_), np.full(series, np.nan))


def update(state: State, at: Floats, values: Floats, kinds: Kinds | None = None) -> tuple[State, Verdicts]:
    """One sample of each series, [series]; NaN where there is none.

    Samples that are late, duplicate or not finite change nothing. Neither argument is changed.
    """
    kinds = kinds or gauges(len(state))
    fresh = usable(state, at, values)
    measured = rates(state, at, values, kinds.counter)
    state = _raw(state, at, values, fresh & kinds.counter & ~np.isfinite(measured))
    rows = np.flatnonzero(fresh & np.isfinite(measured))
    if len(rows) == len(state):
        after, verdicts = _scored(state, at, measured, kinds)
        return after.having({"last_raw": values}), verdicts
    none = nothing(at, values)
    if not len(rows):
        return state, none
    after, some = _scored(state.rows(rows), at[rows], measured[rows], kinds.rows(rows))
    after = after.having({"last_raw": values[rows]})
    return state.with_rows(rows, after), spread_out(some, rows, none)


def _raw(state: State, at: Floats, values: Floats, first: Flags) -> State:
    """A counter's first sample is only remembered."""
    if not first.any():
        return state
    return state.having(
        {
            "last_raw": np.where(first, values, state["last_raw"]),
            "last_at": np.where(first, at, state["last_at"]),
        }
    )


def _scored(state: State, at: Floats, values: Floats, kinds: Kinds) -> tuple[State, Verdicts]:
    changes, now = taken(state, at, values)
    moved, by_value = novelty.value(state, now)
    shapes, by_shape = novelty.shape(state, now)
    profile, by_season, band = season(state, now)
    means, by_level, by_variance = level.change(state, now)
    errors, by_likelihood = likelihood(state, now)
    runs, by_run = dead(state, now)
    line, by_trend, exhaustion = trend(state, now, kinds.limit)
    settled = level.standing(state, now)
    none = np.zeros(len(state))
    strengths = np.stack(
        [
            none,
            by_value,
            by_shape,
            by_season,
            by_level,
            by_variance,
            by_likelihood,
            by_run,
            by_trend,
        ]
    )
    strengths[:_SURE] *= rarity.weight(state) / CALM
    strongest = strengths.argmax(axis=0)
    warm = state["count"] >= kinds.warm_up
    strength = np.where(warm, strengths.max(axis=0) / state["tolerance"], 0.0)
    expected, lower, upper = _band(state, now, band)
    said, hold = held(state, at, strength, np.abs(values - expected) > _FAR * (upper - expected))
    verdicts = Verdicts(
        at,
        values,
        np.ones(len(state), np.bool_),
        _score(strength),
        _score(hold.news),
        expected,
        lower,
        upper,
        hold.firing,
        hold.since,
        strongest.astype(np.int8),
        exhaustion.seconds,
    )
    found = (changes, moved, shapes, profile, means, errors, runs, line, settled, said, told(verdicts))
    return state.having({name: field for each in found for name, field in each.items()}), verdicts


def _score(strength: Floats) -> Floats:
    return strength / (1 + strength)


def _band(state: State, now: Sample, band: Season) -> tuple[Floats, Floats, Floats]:
    """The season's band where there is one, else three spreads around the series' location."""
    middle = np.where(band.speaks, band.expected, state["center"])
    wide = _BAND * np.where(band.speaks, band.spread, level.spread(state, now)) * state["tolerance"]
    origin = np.where(state["count"] > 0, state["origin"], now.value)
    return origin + middle, origin + middle - wide, origin + middle + wide
