"""Two weeks of events as a page of the console."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.plugin import Chart, Context, Figure, Figures, Page, Table
from plugins.daily_digest import counts

_DAYS = 14
_NEXT = "No event came in yet. Type a command in Slack, or file a ticket."


def activity(ctx: Context, title: str) -> Page:
    """Events by kind for each of the last days, in days that end now."""
    now = ctx.now()
    ends = [now - counts.DAY * back for back in reversed(range(_DAYS))]
    days = [ctx.inbox.event_counts(end - counts.DAY, end) for end in ends]
    kinds = sorted({kind for day in days for kind in day if not kind.startswith("schedule")})
    return Page(
        title=title, parts=(_figures(ctx, now, days[-1]), _chart(kinds, ends, days), _table(kinds, days))
    )


def _figures(ctx: Context, now: datetime, today: dict[str, int]) -> Figures:
    dead = ctx.inbox.dead_count(now - counts.DAY, now)
    clock = sum(number for kind, number in today.items() if kind.startswith("schedule"))
    return Figures(
        items=(
            Figure(label="events in 24 hours", value=f"{sum(today.values()) - clock:,}"),
            Figure(label="of the clock", value=f"{clock:,}"),
            Figure(label="dead letters in 24 hours", value=str(dead), tone="bad" if dead else "good"),
        )
    )


def _chart(kinds: list[str], ends: list[datetime], days: list[dict[str, int]]) -> Chart:
    busiest = max(zip(days, ends, strict=True), key=lambda day: sum(day[0].values()))[1]
    return Chart(
        title=f"Events a day, {_DAYS} days",
        alt=f"Stacked bars of events by kind for {_DAYS} days; most came in the day up to {busiest:%d %b}.",
        kind="stacked",
        x=tuple(f"{end - timedelta(seconds=1):%d %b}" for end in ends),
        series=tuple((kind, tuple(float(day.get(kind, 0)) for day in days)) for kind in kinds),
        empty=_NEXT,
    )


def _table(kinds: list[str], days: list[dict[str, int]]) -> Table:
    rows = [
        (kind, f"{days[-1].get(kind, 0):,}", f"{sum(day.get(kind, 0) for day in days):,}") for kind in kinds
    ]
    return Table(
        title="By kind",
        columns=("Kind", "24 hours", f"{_DAYS} days"),
        rows=tuple(rows),
        empty=_NEXT,
    )
