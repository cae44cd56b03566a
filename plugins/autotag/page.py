"""Tickets as a page of the console: who did the work, how right it was, and what waits for a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.core.memory import Record
from bot.plugin import Block, Cell, Chart, Context, Controls, Figure, Figures, Page, Section, Table, join, md
from plugins.autotag import challenger_messages, challengers
from plugins.autotag.decisions import DECISION, REVIEW
from plugins.autotag.effort import by_category, confusion, measured

_WEEKS = 12
_WEEK = timedelta(days=7)
_MOST = 100_000
_QUEUE = 25
_ON_HOME = 5
_UNREVIEWED = (
    "Nobody has reviewed a tag or a suggestion yet: press a button under one in Slack, or change a label."
)


def tickets(ctx: Context, title: str) -> Page:
    """The last weeks, counted from decisions and reviews."""
    now = ctx.now()
    since = now - _WEEKS * _WEEK
    decisions = ctx.records.find(DECISION, since=since, limit=_MOST)
    reviews = ctx.records.find(REVIEW, since=since, limit=_MOST)
    parts = (
        _figures(decisions, reviews),
        *_challengers(ctx),
        _queue(decisions, reviews),
        _weeks(decisions, reviews, now),
        _over_time(decisions, reviews, now),
        _confusion(reviews),
        _categories(reviews),
    )
    return Page(title=title, parts=parts)


def _figures(decisions: Sequence[Record], reviews: Sequence[Record]) -> Figures:
    found = measured(decisions, reviews)
    stood = found.applied - found.corrected
    return Figures(
        items=(
            Figure(label=f"tickets in {_WEEKS} weeks", value=f"{found.decided:,}"),
            Figure(
                label="needed nobody",
                value=_share(stood, found.decided),
                hint=f"{stood:,} were tagged, and not corrected",
            ),
            Figure(
                label="of those tagged stood",
                value=_share(stood, found.applied),
                tone="good" if stood else "",
            ),
            Figure(label="suggestions answered", value=_share(found.answered, found.suggested)),
        )
    )


def _weeks(decisions: Sequence[Record], reviews: Sequence[Record], now: datetime) -> Chart:
    ends = [now - _WEEK * back for back in reversed(range(_WEEKS))]
    bands: dict[str, list[float]] = {"apply": [], "suggest": [], "leave": []}
    for end in ends:
        week = [r.data["band"] for r in decisions if end - _WEEK <= r.at < end]
        for band, counts in bands.items():
            counts.append(float(week.count(band)))
    names = {"apply": "tagged", "suggest": "suggested", "leave": "left to people"}
    total = measured(decisions, reviews)
    return Chart(
        title="Tickets a week",
        alt=f"Stacked bars: {total.applied} tagged, {total.suggested} suggested, {total.left} left.",
        kind="stacked",
        x=tuple(f"{end:%d %b}" for end in ends),
        series=tuple((names[band], tuple(counts)) for band, counts in bands.items()),
        empty="No ticket in these weeks. File one, or run `signalbox tags backfill` over old ones.",
    )


def _over_time(decisions: Sequence[Record], reviews: Sequence[Record], now: datetime) -> Chart:
    """Weeks without a review have no accuracy: a gap, not a nought."""
    ends = [now - _WEEK * back for back in reversed(range(_WEEKS))]
    right: list[float | None] = []
    covered: list[float | None] = []
    for end in ends:
        reviewed = by_category([r for r in reviews if end - _WEEK <= r.at < end])
        bands = [r.data["band"] for r in decisions if end - _WEEK <= r.at < end]
        right.append(_percent(sum(c.right for c in reviewed), sum(c.reviewed for c in reviewed)))
        covered.append(_percent(bands.count("apply"), len(bands)))
    whole = by_category(reviews)
    share = _share(sum(c.right for c in whole), sum(c.reviewed for c in whole))
    return Chart(
        title="Accuracy and coverage week by week",
        alt=f"Two lines: of what was reviewed {share} was right in all; and the share tagged unasked.",
        x=tuple(f"{end:%d %b}" for end in ends),
        series=(("right, of the reviewed", tuple(right)), ("tagged unasked", tuple(covered))),
        unit="%",
        empty=_UNREVIEWED,
    )


def _confusion(reviews: Sequence[Record]) -> Table:
    """A row for each category that was said, a column for each that people said it is."""
    pairs = confusion(reviews)
    said = sorted({name for name, _ in pairs})
    truths = sorted({truth for _, truth in pairs}, key=lambda truth: (truth not in said, truth))
    whole = {name: sum(pairs[name, truth] for truth in truths) for name in said}
    return Table(
        title="What was said, and what people say it is",
        columns=("Said", *truths) if pairs else ("Said", "It is"),
        rows=tuple(
            (name, *(_confused(pairs[name, truth], whole[name], right=name == truth) for truth in truths))
            for name in said
        ),
        empty=_UNREVIEWED,
        grid=True,
    )


def _confused(times: int, whole: int, *, right: bool) -> Cell:
    if not times:
        return Cell(text="")
    return Cell(text=f"{times}", tone="good" if right else "bad", shade=times / whole)


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def _categories(reviews: Sequence[Record]) -> Table:
    rows = [(c.name, _share(c.right, c.reviewed), f"{c.reviewed}") for c in by_category(reviews)]
    return Table(
        title="Accuracy by category",
        columns=("Category", "Right", "Reviewed"),
        rows=tuple(rows),
        empty=_UNREVIEWED,
    )


def unanswered(decisions: Sequence[Record], reviews: Sequence[Record]) -> list[Record]:
    """Suggestions that nobody has answered, the newest first."""
    answered = {record.subject for record in reviews}
    return [r for r in decisions if r.data["band"] == "suggest" and r.subject not in answered]


def home(ctx: Context) -> Sequence[Block]:
    """The newest suggestions that wait, for the Home tab of whoever may answer them."""
    since = ctx.now() - _WEEKS * _WEEK
    waiting = unanswered(
        ctx.records.find(DECISION, since=since, limit=_MOST),
        ctx.records.find(REVIEW, since=since, limit=_MOST),
    )
    if not waiting:
        return ()
    lines = [
        md(
            "• {}: perhaps {}, {}",
            r.subject,
            str(r.data["category"] or "nothing"),
            f"{r.data['confidence']:.0%}",
        )
        for r in waiting[:_ON_HOME]
    ]
    return (Section(text=join("\n", [md("*{} tickets wait for a review*", len(waiting)), *lines])),)


def _challengers(ctx: Context) -> list[Controls]:
    without = "Whoever signed in with Slack decides here; else run signalbox tags promote with its folder."
    return [
        Controls(
            title=f"{made.version} is ready: {made.accuracy:.1%} right instead of {made.before:.1%}",
            plugin="autotag",
            buttons=challenger_messages.controls(made),
            without=without,
        )
        for made in challengers.known(ctx)
        if made.state == "ready"
    ]


def _queue(decisions: Sequence[Record], reviews: Sequence[Record]) -> Table:
    waiting = unanswered(decisions, reviews)
    rows = [
        (
            Cell(text=record.subject, link=f"/events/{record.event_id}" if record.event_id else ""),
            str(record.data["category"] or ""),
            f"{record.data['confidence']:.0%}",
            f"{record.at:%d %b %H:%M}",
        )
        for record in waiting[:_QUEUE]
    ]
    return Table(
        title="Waiting for a review in Slack",
        columns=("Ticket", "Perhaps", "Sure", "Since (UTC)"),
        rows=tuple(rows),
        empty="No suggestion waits for an answer.",
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "-"
