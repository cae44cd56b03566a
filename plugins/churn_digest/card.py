"""One account in a digest: three lines that are read in five seconds, and what can be done about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from bot.plugin import Actions, Button, Markup, Option, Section, Select, Text, join, link, md, mention
from plugins.churn_digest import words
from plugins.churn_digest.config import ChurnDigestConfig
from plugins.churn_digest.state import Case, Outcome, Row

ASSIGN, SNOOZE, OUTCOME, CORRECT = "Assign", "Snooze", "Record outcome", "Correct outcome"
TICKET, MORE = "Create Jira task", "Show more"
ME, OWNER, SOMEBODY = "me", "owner", "somebody"
WEEKS = (1, 2, 4)
OUTCOMES = {"saved": "Saved", "churned": "Churned", "false_alarm": "False alarm"}
_CHANGES = {
    "new": ":new: newly at risk",
    "worse": ":small_red_triangle: worse",
    "renewal": ":calendar: renews soon",
    "snooze-over": ":alarm_clock: snooze is over",
    "better": ":small_red_triangle_down: better",
}
_KNOWN = ":new: first shown"
"""At risk before, and never shown: others had more at risk, or there was no digest."""


def blocks(
    row: Row, case: Case | None, currency: str, as_of: date, config: ChurnDigestConfig
) -> tuple[Section | Actions, ...]:
    return (Section(text=text(row, case, currency, as_of, config)), controls(row, case, config))


def text(row: Row, case: Case | None, currency: str, as_of: date, config: ChurnDigestConfig) -> Markup:
    lines: list[Text] = [_head(row, currency, as_of), join(" · ", list(_facts(row, as_of, config)))]
    lines += [md("• {}", words.short(reason, 160)) for reason in row.reasons]
    lines += list(done(case)) if case else []
    return join("\n", lines)


def _head(row: Row, currency: str, as_of: date) -> Markup:
    known = row.change == "new" and row.before is None and row.since < as_of
    moved = f" (was {words.percent(row.before)})" if row.before is not None else ""
    return md(
        "*{}* · *{}* at risk · {}{} · {}",
        words.short(row.name or row.customer_id),
        words.money(row.value_at_risk, currency),
        words.percent(row.probability),
        moved,
        Markup(mrkdwn=_KNOWN if known else _CHANGES[row.change]),
    )


def _facts(row: Row, as_of: date, config: ChurnDigestConfig) -> Iterator[Text]:
    if row.renewal is not None:
        days = (row.renewal - as_of).days
        yield f"renews {words.day(row.renewal)}" + (f", in {words.count(days, 'day')}" if days >= 0 else "")
    yield f"at risk since {words.day(row.since)}"
    yield join("", ["owner ", words.owner(row.owner, config)]) if row.owner else "no owner"


def done(case: Case) -> Iterator[Text]:
    """What people did about it."""
    if case.assignee:
        yield md(":bust_in_silhouette: {} is on it", mention(case.assignee))
    if case.ticket is not None:
        yield join("", [Markup(mrkdwn=":ticket: "), link(case.ticket.url, case.ticket.key)])
    if case.snooze is not None:
        yield md(":zzz: Snoozed until {} by {}", words.day(case.snooze.until), mention(case.snooze.by))
    if case.outcome is not None:
        yield outcome_line(case.outcome)


def outcome_line(outcome: Outcome) -> Markup:
    return md(":checkered_flag: {}, recorded by {}", OUTCOMES[outcome.kind], mention(outcome.by))


def controls(row: Row, case: Case | None, config: ChurnDigestConfig) -> Actions:
    args = {"customer": row.customer_id}
    elements: list[Button | Select] = []
    if case is None or case.outcome is None:
        elements += [_assign(row, args, config), _snooze(args)]
        if config.ticket_project and (case is None or case.ticket is None):
            elements.append(_ticket(row, case, args))
    label = CORRECT if case and case.outcome else OUTCOME
    options = tuple(Option(text=text, value=kind) for kind, text in OUTCOMES.items())
    elements.append(Select(placeholder=label, action="outcome", args=args, options=options, once=False))
    elements.append(Button(text=MORE, action="more", args=args, once=False))
    return Actions(elements=tuple(elements))


def _assign(row: Row, args: dict[str, str], config: ChurnDigestConfig) -> Select:
    options = [Option(text="To me", value=ME)]
    if config.user_of(row.owner):
        options.append(Option(text=f"To {words.short(row.owner, 60)}", value=OWNER))
    options.append(Option(text="To somebody else…", value=SOMEBODY))
    return Select(placeholder=ASSIGN, action="assign", args=args, options=tuple(options), once=False)


def _snooze(args: dict[str, str]) -> Select:
    options = tuple(Option(text=words.count(weeks, "week"), value=str(weeks)) for weeks in WEEKS)
    return Select(placeholder=SNOOZE, action="snooze", args=args, options=options, once=False)


def _ticket(row: Row, case: Case | None, args: dict[str, str]) -> Button:
    """Buttons of one group count once, in whichever of the account's messages they stand."""
    group = f"churn-ticket:{row.customer_id}:{case.episode if case else 1}"
    return Button(text=TICKET, action="ticket", args=args, group=group)
