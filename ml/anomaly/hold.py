"""Alerts, not points: when an anomaly begins, how long it holds, and when it is news again.

An anomaly is news when it begins, and within the pause after that only when it has doubled. Counting alerts
is what an engineer on call does; a detector that repeats itself is one that gets muted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.anomaly import rarity
from ml.anomaly.state import PEAKS, Array, Flags, Floats, State

PAUSE = 100
"""Samples after an alert in which only a much stronger anomaly is news."""
GROWTH = 2.0
"""How much stronger it has to be."""
HOLD = 10
"""Samples in a row that are as usual after which an anomaly is over; or that are not, after which one that is
back is told even within the pause.
"""
LONGEST = 500.0
"""Usual intervals after which what was an anomaly is the new normal."""


@dataclass(frozen=True)
class Held:
    """`news`: the strength where it is one, else 0. `since`: when what fires began, else NaN."""

    news: Floats
    firing: Flags
    since: Floats


def held(state: State, at: Floats, strength: Floats, outside: Flags) -> tuple[dict[str, Array], Held]:
    """An anomaly goes on while samples are anomalous or still outside the band.

    One that comes back within the pause fires again when it is news, or when it has lasted.
    """
    peaks = _peaks(state)
    highest = peaks.max(axis=1)
    news = strength > np.where(highest >= 1, GROWTH * highest, highest)
    restless = (strength >= 1) | outside
    calm = np.where(restless, np.minimum(state["calm"], 0) - 1, np.maximum(state["calm"], 0) + 1)
    calm = calm.astype(np.int32)
    was = np.isfinite(state["firing_since"])
    lasted = np.where(was, at - state["firing_since"], 0.0)
    longest = LONGEST * np.nan_to_num(state["interval"], nan=np.inf)
    begins = (strength >= 1) & (was | news | (calm <= -HOLD))
    firing = begins | (was & (calm < HOLD) & (lasted < longest))
    since = np.where(firing, np.where(was, state["firing_since"], at), np.nan)
    changes = {
        "peaks": _with(peaks, state, strength),
        "calm": calm,
        "firing_since": since,
        "alerts": rarity.counted(state, news & (strength >= 1)),
    }
    return changes, Held(np.where(news, strength, 0.0), firing, since)


def _peaks(state: State) -> Array:
    """The strongest anomaly of each of the last spans; a span that begins forgets the oldest one."""
    span = PAUSE // PEAKS
    begins = state["count"] % span == 0
    place = (state["count"] // span) % PEAKS
    peaks = state["peaks"].copy()
    peaks[np.flatnonzero(begins), place[begins]] = 0
    return peaks


def _with(peaks: Array, state: State, strength: Floats) -> Array:
    rows, place = np.arange(len(state)), (state["count"] // (PAUSE // PEAKS)) % PEAKS
    peaks[rows, place] = np.maximum(peaks[rows, place], strength)
    return peaks
