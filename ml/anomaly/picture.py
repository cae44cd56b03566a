"""A replayed series as a picture: values, the band, where an anomaly fires and what was told."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ml.anomaly.labelled import Labelled
from ml.anomaly.replay import Replayed
from ml.anomaly.verdict import LINE

_SIZE, _DPI = (12.0, 5.0), 110
_VALUE, _BAND, _TOLD, _WINDOW = "#1d63c8", "#bfdbfe", "#b91c1c", "#fde68a"


def png(file: Labelled, replayed: Replayed) -> bytes:
    """PNG bytes; times are in UTC. Labelled windows, where there are some, are shaded."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  # heavy
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=_SIZE, dpi=_DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    times = np.array([datetime.fromtimestamp(at, UTC) for at in file.at])
    _values(above, times, file, replayed)
    below.plot(times, replayed.score, color=_VALUE, linewidth=0.8)
    below.axhline(LINE, color=_TOLD, linewidth=0.8, linestyle="--")
    below.set(ylim=(0, 1), ylabel="score")
    above.set_title(file.name, parse_math=False, loc="left")
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _values(axes: Any, times: Any, file: Labelled, replayed: Replayed) -> None:
    low, high = float(np.min(file.values)), float(np.max(file.values))
    room = max(high - low, 1e-9)
    axes.fill_between(times, replayed.lower, replayed.upper, color=_BAND, label="expected", linewidth=0)
    axes.plot(times, file.values, color=_VALUE, linewidth=0.8, label="value")
    told = replayed.news >= LINE
    axes.scatter(times[told], file.values[told], color=_TOLD, s=18, zorder=3, label="told")
    for number, (first, last) in enumerate(file.windows):
        label = "labelled" if number == 0 else None
        axes.axvspan(times[first], times[last], color=_WINDOW, alpha=0.5, linewidth=0, zorder=0, label=label)
    axes.set_ylim(low - 0.2 * room, high + 0.2 * room)
    axes.legend(loc="upper left", fontsize=9, frameon=False, ncols=4)
