"""Anomalies as a page of the console: what fires and why, in its band, and what people disagreed with."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.plugin import Cell, Chart, Context, Figure, Figures, Page, Permanent, Prose, Series, Table, Transient
from plugins.anomaly_watch.config import AnomalyWatchConfig
from plugins.anomaly_watch.labels import labels_of, text_of

_DRAWN = 3
_SPAN = timedelta(hours=6)
_POINTS = 120
_LISTED = 30


def anomalies(config: AnomalyWatchConfig, excused: str, ctx: Context, title: str) -> Page:
    """Made of what the last look left behind, and of the exported figures as Prometheus has them."""
    documents = ctx.documents.having("firing:")
    rows = sorted(
        (row for document in documents for row in document.data["rows"]), key=lambda row: -row["score"]
    )
    parts = (
        _figures(config, [document.data for document in documents]),
        _firing(rows),
        *_charts(config, rows[:_DRAWN], ctx),
        _excused(excused, ctx),
    )
    return Page(title=title, parts=parts)


def _figures(config: AnomalyWatchConfig, looks: Sequence[Mapping[str, Any]]) -> Figures:
    firing = sum(int(look["firing"]) for look in looks)
    return Figures(
        items=(
            Figure(label="anomalous now", value=f"{firing:,}", tone="warn" if firing else "good"),
            Figure(label="series watched", value=f"{sum(int(look['series']) for look in looks):,}"),
            Figure(
                label="expressions",
                value=f"{len(config.watch) + len(config.services)}",
                hint="" if config.watch or config.services else "add [[plugins.anomaly-watch.watch]]",
                tone="" if config.watch or config.services else "warn",
            ),
        )
    )


def _firing(rows: Sequence[Mapping[str, Any]]) -> Table:
    return Table(
        title="Anomalous now",
        columns=("What", "Service", "Since (UTC)", "Score"),
        rows=tuple(
            (row["reason"], row["service"] or "-", _moment(row["since"]), f"{row['score']:.2f}")
            for row in rows[:_LISTED]
        ),
        empty="Everything that is watched is as usual.",
    )


def _charts(
    config: AnomalyWatchConfig, rows: Sequence[Mapping[str, Any]], ctx: Context
) -> Sequence[Chart | Prose]:
    units = {watch.name: watch.unit for watch in config.watch}
    try:
        if not rows:
            return _calm(ctx)
        return [_drawn(row, units.get(row["watch"], ""), ctx) for row in rows]
    except (Permanent, Transient) as exc:
        return [Prose(title="No picture", text=f"{exc} The table above is from the last look.")]


def _drawn(row: Mapping[str, Any], unit: str, ctx: Context) -> Chart:
    series = text_of(labels_of(row["series"]))
    chosen = f"{{watch={_quoted(row['watch'])},series={_quoted(series)}}}"
    names = ("value", "lower", "upper")
    lines = {name: _line(f"max(signalbox_anomaly_{name}{chosen})", ctx) for name in names}
    times = sorted({at for line in lines.values() for at in line})
    return Chart(
        title=f"{row['watch']} {series}".strip(),
        alt=f"The last {_SPAN.seconds // 3600} hours of the metric and the band it was expected in.",
        x=tuple(f"{at:%H:%M}" for at in times),
        series=tuple((name, tuple(lines[name].get(at) for at in times)) for name in names),
        unit=unit,
    )


def _calm(ctx: Context) -> Sequence[Chart]:
    line = _line("sum(max by (watch, series) (signalbox_anomaly_firing))", ctx)
    return [
        Chart(
            title="Anomalous series",
            alt=f"How many series were anomalous at once in the last {_SPAN.seconds // 3600} hours.",
            x=tuple(f"{at:%H:%M}" for at in line),
            series=(("series", tuple(line.values())),),
        )
    ]


def _line(expression: str, ctx: Context) -> dict[datetime, float]:
    now = ctx.now()
    found: Sequence[Series] = ctx.metrics.query_range(
        expression, start=now - _SPAN, end=now, step=_SPAN.total_seconds() / _POINTS
    )
    return {at: value for series in found for at, value in series.points if math.isfinite(value)}


def _quoted(text: str) -> str:
    """A string literal of PromQL; its escapes include those of JSON."""
    return json.dumps(text, ensure_ascii=False)


def _excused(kind: str, ctx: Context) -> Table:
    return Table(
        title="Not an anomaly, people said",
        columns=("Watch", "Series", "By", "When (UTC)"),
        rows=tuple(
            (
                Cell(text=str(record.data["watch"]), link=f"/events/{record.event_id}"),
                text_of(labels_of(str(record.data["series"]))),
                str(record.data["by"]),
                f"{record.at:%Y-%m-%d %H:%M}",
            )
            for record in ctx.records.find(kind, limit=_LISTED)
        ),
        empty="Nobody disagreed yet. Each message about an anomaly has a button for it.",
    )


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}" if math.isfinite(seconds) else "-"
