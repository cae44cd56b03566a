"""What is remembered of a series. Arrays side by side, a row a series, so that many are updated at once.

A state is never changed: updating makes a new one. A row is kept as the bytes of one fixed record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.anomaly.errors import StateError

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

VALUES = 256
"""Distinct values of a series that are remembered."""
SHAPES, SHAPE = 64, 4
"""Distinct sub-sequences that are remembered, and the samples in one."""
DAY_BINS, WEEK_BINS = 48, 336
PEAKS = 4
"""Spans of samples of which the strongest anomaly is remembered."""
VERSION = b"SBA3"

FIELDS = np.dtype(
    [
        # the samples
        ("count", "i8"),
        ("last_at", "f8"),
        ("last_raw", "f8"),
        ("interval", "f8"),
        ("origin", "f8"),
        ("last", "f8"),
        # location, spread and the fast and slow means and variances
        ("center", "f8"),
        ("spread", "f8"),
        ("fast", "f8"),
        ("slow", "f8"),
        ("fast_variance", "f8"),
        ("slow_variance", "f8"),
        # one-step prediction and its error
        ("forecast", "f8"),
        ("error_mean", "f8"),
        ("error_variance", "f8"),
        ("error_short", "f8"),
        # values seen, relative to the origin
        ("seen", "f4", (VALUES,)),
        ("seen_when", "i4", (VALUES,)),
        # sub-sequences seen, in units of the spread
        ("recent", "f4", (SHAPE,)),
        ("shapes", "f4", (SHAPES, SHAPE)),
        ("shapes_when", "i4", (SHAPES,)),
        # season: half-hours of the day and of the week
        ("day", "f4", (DAY_BINS,)),
        ("day_count", "u2", (DAY_BINS,)),
        ("week", "f4", (WEEK_BINS,)),
        ("week_count", "u2", (WEEK_BINS,)),
        ("season_count", "i8"),
        ("season_error", "f8"),
        ("season_spread", "f8"),
        ("season_off", "f8"),
        ("season_off_spread", "f8"),
        ("level_spread", "f8"),
        # runs of the same value
        ("run", "i4"),
        ("longest_run", "i4"),
        ("changes", "i8"),
        # least squares over time, fading
        ("line_weight", "f8"),
        ("line_time", "f8"),
        ("line_value", "f8"),
        ("line_time_time", "f8"),
        ("line_time_value", "f8"),
        ("line_value_value", "f8"),
        # what has been said
        ("peaks", "f4", (PEAKS,)),
        ("firing_since", "f8"),
        # samples in a row that were as usual; below 0, that were not
        ("calm", "i4"),
        ("said_value", "f8"),
        ("said_score", "f8"),
        ("said_expected", "f8"),
        ("said_lower", "f8"),
        ("said_upper", "f8"),
        ("said_reason", "i1"),
        ("said_exhausted", "f8"),
        # what people said: a factor on the score's strength
        ("tolerance", "f8"),
        # alerts so far, fading
        ("alerts", "f8"),
    ]
)
_OLDER = {
    # Before alerts were counted.
    b"SBA2": np.dtype([(name, FIELDS[name]) for name in FIELDS.names or () if name != "alerts"]),
}
"""Records of earlier versions, whose states are read on: a field that they lack is as in an empty state."""
EMPTY: Mapping[str, float] = {
    "last_at": -np.inf,
    "last_raw": np.nan,
    "interval": np.nan,
    "seen": np.nan,
    "recent": np.nan,
    "shapes": np.nan,
    "firing_since": np.nan,
    "tolerance": 1.0,
}


@dataclass(frozen=True)
class State:
    """The states of `len(state)` series. `fields[name]` is [series] or [series, …]."""

    fields: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.fields["count"])

    def __getitem__(self, name: str) -> Array:
        return self.fields[name]

    def having(self, changes: Mapping[str, Array]) -> State:
        """A state with other values in some fields."""
        return State({**self.fields, **changes})

    def rows(self, rows: Rows | slice) -> State:
        """The states of some of the series."""
        return State({name: field[rows] for name, field in self.fields.items()})

    def with_rows(self, rows: Rows, other: State) -> State:
        """A state in which `other` stands for some of the series."""
        changed = {}
        for name, field in self.fields.items():
            changed[name] = field.copy()
            changed[name][rows] = other[name]
        return State(changed)

    def to_bytes(self) -> bytes:
        """The states as bytes, each series' as a record of the same length."""
        packed = np.empty(len(self), _record(FIELDS))
        packed["version"] = VERSION
        for name in FIELDS.names or ():
            packed[name] = self.fields[name]
        return packed.tobytes()

    def records(self) -> list[bytes]:
        """Each series' state as bytes of the same length."""
        data, size = self.to_bytes(), _record(FIELDS).itemsize
        return [data[place : place + size] for place in range(0, len(data), size)]


def empty(series: int) -> State:
    """The state of series of which nothing has been seen."""
    made = np.zeros(series, FIELDS)
    for name, value in EMPTY.items():
        made[name] = value
    return _unpacked(made)


def from_bytes(data: bytes) -> State:
    """The states of which `to_bytes`, or that of an earlier version, made these bytes; none of none.

    Raises:
        StateError: bytes of another version, or cut off.
    """
    version = data[: len(VERSION)] if data else VERSION
    fields = FIELDS if version == VERSION else _OLDER.get(version)
    if fields is None:
        raise StateError(
            "A stored state is of another version of the detectors. Remove the stored states; "
            "they are made anew from the metrics' history."
        )
    if len(data) % _record(fields).itemsize:
        raise StateError("The stored states are cut off. Remove them; they are made anew from the history.")
    packed = np.frombuffer(data, _record(fields))
    if (packed["version"] != version).any():
        raise StateError("The stored states are of several versions. Remove them; they are made anew.")
    if version == VERSION:
        return _unpacked(packed)
    return empty(len(packed)).having({name: packed[name].copy() for name in fields.names or ()})


def _record(fields: np.dtype[Any]) -> np.dtype[Any]:
    """A stored state: its version, then the fields."""
    return np.dtype([("version", f"S{len(VERSION)}"), *((name, fields[name]) for name in fields.names or ())])


def together(states: list[State]) -> State:
    """The series of several states, one after the other."""
    return State({name: np.concatenate([s[name] for s in states]) for name in FIELDS.names or ()})


def _unpacked(packed: Array) -> State:
    return State({name: np.ascontiguousarray(packed[name]) for name in FIELDS.names or ()})
