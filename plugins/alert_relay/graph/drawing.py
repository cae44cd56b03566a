"""Draws series over time as a PNG that a phone can show."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from bot.plugin import Series

MOST_SERIES = 5
_WIDTH, _HEIGHT, _LEGEND_ROW, _DPI = 8.0, 3.8, 0.26, 120
"""Inches; dots an inch."""
_SHORT_NAME = 34
_COLOURS = ("#1d63c8", "#c2410c", "#0f8a5f", "#8b3fc4", "#a16207")
_THRESHOLD, _FIRING = "#b91c1c", "#fecaca"
_LABEL_LENGTH = 70


class Picture(NamedTuple):
    """What is to be seen; `names` has one name a series."""

    title: str
    series: Sequence[Series]
    names: Sequence[str]
    more: int
    """Further series that are not drawn."""
    threshold: float | None
    comparator: str
    fired_at: datetime
    resolved_at: datetime | None
    start: datetime
    end: datetime


def png(picture: Picture) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  # heavy
    from matplotlib.figure import Figure  # noqa: PLC0415

    columns = 2 if len(picture.names) > 1 and max(map(len, picture.names)) <= _SHORT_NAME else 1
    rows = -(-(len(picture.names) + 2) // columns)
    size = (_WIDTH, _HEIGHT + _LEGEND_ROW * rows)
    figure = Figure(figsize=size, dpi=_DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    handles = _shade(axes, picture) + _lines(axes, picture) + _threshold(axes, picture)
    _frame(axes, picture)
    legend = figure.legend(
        handles=handles, loc="outside lower left", ncols=columns, fontsize=11, frameon=False
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _shade(axes: Any, picture: Picture) -> list[Any]:
    end = picture.resolved_at or picture.end
    shade = axes.axvspan(picture.fired_at, end, color=_FIRING, alpha=0.6, lw=0, label="firing")
    axes.axvline(picture.fired_at, color=_THRESHOLD, lw=1, alpha=0.5)
    return [shade]


def _lines(axes: Any, picture: Picture) -> list[Any]:
    found = []
    for n, (series, name) in enumerate(zip(picture.series, picture.names, strict=True)):
        times, values = _with_gaps(series)
        [line] = axes.plot(times, values, color=_COLOURS[n % len(_COLOURS)], lw=2, marker=_marker(values))
        line.set_label(_cut(name))
        found.append(line)
    if picture.more and found:
        found[-1].set_label(f"{found[-1].get_label()} and {picture.more} more")
    return found


def _marker(values: list[float]) -> str | None:
    """Two values make no line that one would see."""
    return "o" if len(values) < 3 else None


def _with_gaps(series: Series) -> tuple[list[datetime], list[float]]:
    """Times without a value are seen as such, not bridged."""
    steps = [(b[0] - a[0]).total_seconds() for a, b in zip(series.points, series.points[1:], strict=False)]
    usual = min(steps, default=math.inf)
    times: list[datetime] = []
    values: list[float] = []
    for at, value in series.points:
        if times and (at - times[-1]).total_seconds() > usual * 1.5:
            times.append(times[-1] + (at - times[-1]) / 2)
            values.append(math.nan)
        times.append(at)
        values.append(value if math.isfinite(value) else math.nan)
    return times, values


def _threshold(axes: Any, picture: Picture) -> list[Any]:
    if picture.threshold is None:
        return []
    line = axes.axhline(picture.threshold, color=_THRESHOLD, lw=1.5, ls="--")
    line.set_label(f"fires when {picture.comparator} {picture.threshold:g}")
    return [line]


def _frame(axes: Any, picture: Picture) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: PLC0415
    from matplotlib.ticker import EngFormatter  # noqa: PLC0415

    axes.set_title(_cut(picture.title), loc="left", fontsize=15, fontweight="bold", parse_math=False)
    locator = AutoDateLocator(maxticks=7, tz=UTC)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))
    if _largest(picture) >= 1000:
        axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    if picture.start < picture.end:
        axes.set_xlim(picture.start, picture.end)
    axes.margins(y=0.12)
    axes.set_xlabel("UTC", fontsize=11, loc="left")
    axes.tick_params(labelsize=12)
    axes.grid(visible=True, color="#e5e7eb", lw=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _largest(picture: Picture) -> float:
    values = [abs(value) for series in picture.series for _, value in series.points if math.isfinite(value)]
    return max([*values, abs(picture.threshold or 0.0)])


def _cut(text: str) -> str:
    """No leading underscore, which would hide a name from the legend."""
    plain = " ".join(text.split()).lstrip("_")
    return plain if len(plain) <= _LABEL_LENGTH else plain[: _LABEL_LENGTH - 1] + "…"
