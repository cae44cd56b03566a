"""How much the next alert about a series says: less, the more of them there have been.

The chance of an alert is estimated by Laplace's rule of succession from those that a series has had, and its
surprise is the chance's negative logarithm (Shannon, "A mathematical theory of communication", 1948). Where
an alert is as rare as one in `RARE` samples, or rarer, an anomaly counts in full. A series that is told of
again and again, or that has little history yet, has to be further off.
"""

from __future__ import annotations

import math

import numpy as np

from ml.anomaly.level import HALF_LIFE
from ml.anomaly.state import Flags, Floats, State

RARE = 1440
"""Samples to an alert from which on it is rare: one a day at a sample a minute."""
_KEPT = 0.5 ** (1 / HALF_LIFE)


def weight(state: State) -> Floats:
    """What a strength counts for, in (0, 1], [series]."""
    seen = (1 - _KEPT ** state["count"]) / (1 - _KEPT)
    surprise = np.log((seen + 2) / (state["alerts"] + 1)) / math.log(RARE)
    found: Floats = np.clip(surprise, 0.0, 1.0)
    return found


def counted(state: State, told: Flags) -> Floats:
    """Alerts so far, fading, with those of this sample."""
    found: Floats = state["alerts"] * _KEPT + told
    return found
