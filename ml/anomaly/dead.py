"""A metric that has stopped moving: longer on one value than a series that moves has ever been."""

from __future__ import annotations

import numpy as np

from ml.anomaly.sample import Sample
from ml.anomaly.state import Array, Floats, State

_LONGER = 3.0
_AT_LEAST = 60
_LIVELY = 0.5
_ENOUGH = 100


def dead(state: State, now: Sample) -> tuple[dict[str, Array], Floats]:
    """Length of the run of equal values over three times the longest one before, for lively series."""
    same = (now.x == state["last"]) & (state["count"] > 0)
    run = np.where(same, state["run"] + 1, 0).astype(np.int32)
    ended = ~same & (state["run"] > 0)
    longest = np.where(ended, np.maximum(state["longest_run"], state["run"]), state["longest_run"])
    moves = state["changes"] > np.maximum(_LIVELY * (state["count"] - run), _ENOUGH)
    line = np.maximum(_LONGER * longest, _AT_LEAST)
    changes = {
        "run": run,
        "longest_run": longest.astype(np.int32),
        "changes": state["changes"] + ~same,
        "last": now.x,
    }
    return changes, np.where(moves, np.floor(run / line), 0.0)
