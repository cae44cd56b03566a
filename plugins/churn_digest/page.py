"""Churn as a page of the console: this week's accounts, the trend, and how warnings turned out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from bot.plugin import Button, Cell, Chart, Context, Controls, Figure, Figures, Page, Prose, Table
from ml.churn import shelf
from ml.churn.runs import Run
from plugins.churn_digest import card, memory, model_messages, results, scored, trend, words
from plugins.churn_digest.state import Case, Digest, Part, Row

_OLD = timedelta(days=10)
_WARNINGS = 30
_REASONS = 8
_UNTREATED = "nobody has acted"


def churn(ctx: Context, title: str) -> Page:
    """Made of the newest scores' facts and of what was shown; customers that are held out do not appear."""
    run, digest = scored.latest(ctx), memory.newest_digest(ctx)
    if run is None:
        return Page(title=title, parts=(Prose(text=scored.NEXT_STEP),))
    cases = memory.cases(ctx)
    parts = (
        _figures(run, digest, cases.values(), ctx),
        _accounts(digest, cases),
        _shared_reasons(run, digest),
        _reasons(digest),
        *_trend(ctx),
        _by_month(cases.values(), ctx.now()),
        _outcomes(cases.values()),
        *_models(ctx),
    )
    return Page(title=title, parts=parts)


def _figures(run: Run, digest: Digest | None, cases: Iterable[Case], ctx: Context) -> Figures:
    part = digest.parts[-1] if digest and digest.parts else None
    known = _shown(cases)
    settled = sorted((c for c in known if results.left(c) is not None), key=lambda c: c.flagged_at)
    last = settled[-results.LAST :]
    old = ctx.now().date() - run.as_of > _OLD
    items = [
        Figure(
            label="data until",
            value=words.day(run.as_of),
            hint="older than ten days: is scoring scheduled?"
            if old
            else f"{run.customers:,} customers scored",
            tone="warn" if old else "",
        ),
        Figure(
            label="of the last warned left" if last else "warnings with a known end",
            value=f"{sum(bool(results.left(c)) for c in last)} of {len(last)}" if last else "0",
            hint=f"{len(known) - len(settled)} still open",
        ),
    ]
    at_risk = Figure(label="customers at risk", value=f"{part.at_risk:,}") if part else None
    worth = (
        Figure(label="at risk in all", value=words.money(part.value_at_risk, part.currency)) if part else None
    )
    return Figures(items=tuple(item for item in (worth, at_risk, *items) if item is not None))


def _accounts(digest: Digest | None, cases: dict[str, Case]) -> Table:
    parts = digest.parts if digest else ()
    rows = [_account(row, part, cases.get(row.customer_id)) for part in parts for row in part.rows]
    return Table(
        title=f"Shown in week {int(digest.week[-2:])}" if digest else "Shown this week",
        columns=("Account", "At risk", "Likely to leave", "Renews", "Since", "Owner", "Done"),
        rows=tuple(rows),
        empty="No digest was posted yet; it comes by the setting cron.",
    )


def _account(row: Row, part: Part, case: Case | None) -> tuple[str | Cell, ...]:
    moved = f" (was {words.percent(row.before)})" if row.before is not None else ""
    return (
        Cell(text=words.short(row.name or row.customer_id), link=f"/events/{part.event_id}"),
        words.money(row.value_at_risk, part.currency),
        f"{words.percent(row.probability)}{moved}",
        words.day(row.renewal) if row.renewal else "-",
        words.day(row.since),
        words.short(row.owner) or "none",
        _done(case) if row.change != "better" or (case and case.is_claimed) else "better",
    )


def _reasons(digest: Digest | None) -> Table:
    rows = [
        (words.short(row.name or row.customer_id), "; ".join(words.short(why, 160) for why in row.reasons))
        for part in (digest.parts if digest else ())
        for row in part.rows
        if row.reasons
    ]
    return Table(
        title="Why",
        columns=("Account", "Associated with leaving, the strongest first"),
        rows=tuple(rows),
        empty="Reasons come with the accounts.",
    )


def _shared_reasons(run: Run, digest: Digest | None) -> Chart:
    """How many of the accounts shown have a reason in common, whatever its numbers are."""
    wanted = {row.customer_id for part in (digest.parts if digest else ()) for row in part.rows}
    counted: Counter[str] = Counter()
    for score in scored.scores(run) if wanted else ():
        if score.customer_id in wanted:  # the highest losses come first, and so do those that are shown
            wanted.discard(score.customer_id)
            counted.update({reason.feature for reason in score.reasons})
        if not wanted:
            break
    most = counted.most_common(_REASONS)
    return Chart(
        title="Reasons that accounts share",
        alt="; ".join(f"{feature}: {number}" for feature, number in most) or "None.",
        kind="across",
        x=tuple(feature.replace("_", " ") for feature, _ in most),
        series=(("accounts", tuple(float(number) for _, number in most)),),
        empty="Reasons come with the accounts.",
    )


def _by_month(cases: Iterable[Case], now: datetime) -> Chart:
    """Warnings by the month in which they were given, by what came of them."""
    counted: dict[str, Counter[str]] = {name: Counter() for name in ("still open", "left", "stayed")}
    for case in _shown(cases):
        gone = results.left(case)
        name = "still open" if gone is None else "left" if gone else "stayed"
        counted[name][f"{case.flagged_at:%Y-%m}"] += 1
    months = _months(now)
    return Chart(
        title="Warnings by month",
        alt="Stacked bars: " + ", ".join(f"{found.total()} {name}" for name, found in counted.items()),
        kind="stacked",
        x=months,
        series=tuple(
            (name, tuple(float(found[month]) for month in months)) for name, found in counted.items()
        ),
        empty="No account was shown in the last twelve months.",
    )


def _months(now: datetime) -> tuple[str, ...]:
    """The last twelve, such as 2026-03."""
    number = now.year * 12 + now.month - 1
    return tuple(f"{n // 12}-{n % 12 + 1:02}" for n in range(number - 11, number + 1))


def _done(case: Case | None) -> Cell:
    """What people did, the latest word first."""
    if case is None:
        return Cell(text=_UNTREATED, tone="warn")
    if case.outcome is not None:
        return Cell(text=f"{card.OUTCOMES[case.outcome.kind]}, says {case.outcome.by}")
    if case.ticket is not None:
        return Cell(text=case.ticket.key, link=case.ticket.url)
    if case.snooze is not None:
        return Cell(text=f"snoozed until {words.day(case.snooze.until)}")
    if case.assignee:
        return Cell(text=f"{case.assignee} is on it")
    return Cell(text="escalated: nobody took it" if case.escalated else _UNTREATED, tone="warn")


def _trend(ctx: Context) -> tuple[Chart, ...]:
    totals = trend.newest(trend.Total.model_validate(d.data) for d in ctx.documents.having("run:"))
    if len(totals) < 2:  # one run is no trend
        return ()
    days, newest = tuple(f"{total.as_of:%d %b}" for total in totals), totals[-1]
    worth = words.money(newest.value_at_risk, newest.currency)
    return (
        Chart(
            title=f"Value at risk, {newest.currency}",
            alt=f"Bars run by run; the newest is {worth}.",
            kind="bar",
            x=days,
            series=(("value at risk", tuple(round(total.value_at_risk) for total in totals)),),
        ),
        Chart(
            title="Customers at risk",
            alt=f"Bars run by run; the newest is {newest.at_risk:,}.",
            kind="bar",
            x=days,
            series=(("customers at risk", tuple(float(total.at_risk) for total in totals)),),
        ),
    )


def _outcomes(cases: Iterable[Case]) -> Table:
    settled = [case for case in _shown(cases) if results.left(case) is not None]
    settled.sort(key=lambda case: case.flagged_at, reverse=True)
    return Table(
        title="How warnings turned out",
        columns=("Account", "Warned", "Likely to leave", "What came of it", "Told by", "Somebody acted"),
        rows=tuple(_outcome(case) for case in settled[:_WARNINGS]),
        empty="No warning has a known end yet: record outcomes in Slack, or wait until the data tells.",
    )


def _outcome(case: Case) -> tuple[str | Cell, ...]:
    gone = bool(results.left(case))
    told = card.OUTCOMES[case.outcome.kind] if case.outcome else ("Left" if gone else "Stayed")
    return (
        words.short(case.name or case.customer_id),
        words.day(case.flagged_at),
        words.percent(case.probability),
        Cell(text=told, tone="bad" if gone else "good"),
        case.outcome.by if case.outcome else "the data",
        "yes" if _acted(case) else "no",
    )


def _acted(case: Case) -> bool:
    """Whoever recorded that a customer was saved, did something."""
    saved = case.outcome is not None and case.outcome.kind == "saved"
    return saved or bool(case.assignee or case.snooze or case.ticket)


def _models(ctx: Context) -> tuple[Controls, ...]:
    """What may be pressed about models; the page Models compares them."""
    found = shelf.read(ctx.data_dir / "churn")
    strips = [strip for candidate in memory.candidates(ctx) for strip in model_messages.controls(candidate)]
    offered = tuple(element for strip in strips for element in strip.elements if isinstance(element, Button))
    back: tuple[Button, ...] = ()
    if found.champion and found.before and found.before != found.champion:
        back = (model_messages.roll_back(found.champion, found.before, once=False),)
    asked = (
        (
            "Challengers",
            offered,
            "Whoever signed in with Slack promotes here; else run signalbox models promote.",
        ),
        (
            "Going back",
            back,
            "Whoever signed in with Slack goes back here; else run signalbox models rollback.",
        ),
    )
    return tuple(
        Controls(title=title, plugin="churn-digest", buttons=buttons, without=without)
        for title, buttons, without in asked
        if buttons
    )


def _shown(cases: Iterable[Case]) -> Sequence[Case]:
    """All warnings that people saw, closed ones too."""
    episodes = [episode for case in cases for episode in (*case.past, case)]
    return [case for case in episodes if case.shown_at is not None and not case.control]
