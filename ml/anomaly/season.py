"""Robust seasonal bands: what a series usually is at this half-hour of the day and of the week.

A profile of fading means from which outliers move little; the week's where this half-hour of the week has
been seen twice, else the day's. It speaks only where it explains most of the series' variation: as a
seasonal decomposition's strength (Wang, Smith and Hyndman, "Characteristic-based clustering for time series
data", 2006).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.anomaly.level import floor, weight
from ml.anomaly.sample import Sample
from ml.anomaly.state import DAY_BINS, WEEK_BINS, Array, Flags, Floats, State

LINE, LASTING_LINE = 10.0, 15.0
STRENGTH = 0.7
_BIN = 1800.0
_EPOCH_IS_THURSDAY = 3 * DAY_BINS
_CLIP = 8.0
_LASTING = 6.0
HALF_LIFE = 1500.0
_DAY_SHARE, _WEEK_SHARE = 0.2, 0.35


@dataclass(frozen=True)
class Season:
    """The expected value and the usual distance from it, relative to the origin; `speaks` where it is
    known.
    """

    expected: Floats
    spread: Floats
    speaks: Flags


def bins(at: Floats) -> tuple[Array, Array]:
    """Half-hour of the day (UTC) and of the week (from Monday), [series]."""
    half_hours = (at // _BIN).astype(np.int64)
    return half_hours % DAY_BINS, (half_hours + _EPOCH_IS_THURSDAY) % WEEK_BINS


def expected(state: State, now: Sample) -> tuple[Season, Flags]:
    """The band before the sample was seen, and where a profile has anything to say at all."""
    rows = np.arange(len(state))
    day, week = bins(now.at)
    needed = 2 * _per_bin(state)
    daily = state["day_count"][rows, day] >= needed
    weekly = state["week_count"][rows, week] >= needed
    level = np.where(daily, state["day"][rows, day], state["slow"])
    found = np.where(weekly, state["week"][rows, week], level)
    with np.errstate(divide="ignore", invalid="ignore"):
        strength = 1 - (state["season_error"] / state["level_spread"]) ** 2
    least = np.maximum(floor(now), 0.01 * state["spread"])
    spread = np.maximum(state["season_spread"], least)
    return Season(found, spread, daily & (strength > STRENGTH)), daily


def season(state: State, now: Sample) -> tuple[dict[str, Array], Floats, Season]:
    """How far off the season's band the sample, or the last ones together, are."""
    band, daily = expected(state, now)
    off = now.x - band.expected
    clipped = np.clip(off, -_CLIP * band.spread, _CLIP * band.spread)
    lasting = state["season_off"] + weight(_LASTING, state["count"]) * (clipped - state["season_off"])
    lasting_spread = np.maximum(state["season_off_spread"], 1e-3 * band.spread)
    strength = np.maximum(np.abs(off) / band.spread / LINE, np.abs(lasting) / lasting_spread / LASTING_LINE)
    changes = _errors(state, now, off, lasting, daily) | _profiles(state, now, band)
    return changes, np.where(band.speaks, strength, 0.0), band


def _errors(state: State, now: Sample, off: Floats, lasting: Floats, daily: Flags) -> dict[str, Array]:
    share = weight(HALF_LIFE, state["count"])
    distance = np.abs(now.x - state["center"])
    level_spread = state["level_spread"] + share * (distance - state["level_spread"])
    own = weight(HALF_LIFE, state["season_count"])
    error = state["season_error"] + own * (np.abs(off) - state["season_error"])
    most = 4 * np.where(state["season_spread"] > 0, state["season_spread"], np.inf)
    close = state["season_spread"] + own * (np.minimum(np.abs(off), most) - state["season_spread"])
    off_most = 4 * np.where(state["season_off_spread"] > 0, state["season_off_spread"], np.inf)
    long = np.minimum(np.abs(lasting), off_most)
    return {
        "level_spread": level_spread,
        "season_count": state["season_count"] + daily,
        "season_off": lasting,
        "season_error": np.where(daily, error, level_spread),
        "season_spread": np.where(daily, close, state["season_spread"]),
        "season_off_spread": np.where(
            daily, state["season_off_spread"] + own * (long - state["season_off_spread"]), 0.0
        ),
    }


def _profiles(state: State, now: Sample, band: Season) -> dict[str, Array]:
    rows, per_bin = np.arange(len(state)), _per_bin(state)
    farthest = np.where(band.speaks, _CLIP * band.spread, np.inf)
    changes: dict[str, Array] = {}
    for name, place, share in zip(("day", "week"), bins(now.at), (_DAY_SHARE, _WEEK_SHARE), strict=True):
        profile, count = state[name].copy(), state[name + "_count"].copy()
        seen = count[rows, place]
        moved = np.maximum(share / per_bin, 1 / (seen + 1.0))
        profile[rows, place] += moved * np.clip(now.x - profile[rows, place], -farthest, farthest)
        count[rows, place] = np.minimum(seen, 65534) + 1
        changes |= {name: profile, name + "_count": count}
    return changes


def _per_bin(state: State) -> Floats:
    """Samples that usually fall into one half-hour, at least one."""
    usual = np.where(np.isnan(state["interval"]), _BIN, state["interval"])
    found: Floats = np.maximum(1.0, _BIN / np.maximum(usual, 1.0))
    return found
