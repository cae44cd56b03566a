"""What waits, in one message: counted, the worst first, each with a link."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from bot.core.messages import Severity
from bot.plugin import Context, Markup, Message, Note, Section, Text, join, link, md
from plugins.alert_relay import keysets, memory, severity, words
from plugins.alert_relay.holding import holds
from plugins.alert_relay.holding.holds import Hold
from plugins.alert_relay.state import GroupState

SHOWN = 12


class Tally(NamedTuple):
    """Every group that a hold ever took is in exactly one of these."""

    waiting: Sequence[GroupState]
    released: int
    ended: int

    @property
    def total(self) -> int:
        return len(self.waiting) + self.released + self.ended


def tally(hold: Hold, states: Sequence[GroupState]) -> Tally:
    waiting = [s for s in states if s.held == hold.id and s.status == "firing"]
    ended = sum(s.held == hold.id and s.status == "resolved" for s in states)
    return Tally(in_order(waiting), len(states) - len(waiting) - ended, ended)


def in_order(states: Sequence[GroupState]) -> list[GroupState]:
    """Critical ones first, quiet ones last, then the oldest."""
    return sorted(states, key=lambda s: (s.is_quiet, severity.rank(s.card.severity), s.started_at, s.key))


def read(ctx: Context, hold: Hold) -> Tally:
    return tally(hold, memory.many(ctx, keysets.members(ctx.documents, holds.members_of(hold.id))))


def show(ctx: Context, hold: Hold, found: Tally, *, over: bool) -> None:
    ctx.step(
        f"hold-{hold.id}"[:100],
        ctx.chat.upsert,
        channel=hold.channel,
        key=f"hold:{hold.id}",
        message=message(hold, found, ctx.now(), over=over),
    )


def message(hold: Hold, found: Tally, now: datetime, *, over: bool) -> Message:
    head = _storm(hold, found, now, over=over) if hold.kind == "storm" else _night(hold, found)
    lines: list[Text] = [md("*{}*", head), _counts(found)]
    listed = [_line(state) for state in found.waiting[:SHOWN]]
    rest = len(found.waiting) - len(listed)
    more: list[Text] = [f"and {rest} more"] if rest else []
    blocks = [Section(text=join("\n", lines))]
    blocks += [Section(text=join("\n", [*listed, *more]))] if listed else []
    note = Note(parts=(_promise(hold),))
    return Message(text=head, blocks=(*blocks, note), severity=_colour(found), priority="high")


def _storm(hold: Hold, found: Tally, now: datetime, *, over: bool) -> str:
    if over and not found.waiting:
        took = words.span((now - hold.since).total_seconds())
        return f"Alert storm over after {took}: {words.count(found.total, 'group')}"
    state = "is over" if over else "rages"
    wait = "waits" if len(found.waiting) == 1 else "wait"
    return f"Alert storm {state}: {words.count(len(found.waiting), 'group')} {wait} here"


def _night(hold: Hold, found: Tally) -> str:
    return f"In quiet hours since {hold.since:%a %H:%M} UTC: {words.count(found.total, 'group')} held back"


def _counts(found: Tally) -> str:
    worst = Counter(state.card.severity or "no severity" for state in found.waiting)
    by_severity = sorted(worst.items(), key=lambda item: severity.rank(item[0]))
    parts = [f"{number} {name}" for name, number in by_severity]
    parts += [f"{found.released} have a message of their own"] if found.released else []
    parts += [f"{found.ended} ended meanwhile"] if found.ended else []
    return " · ".join(parts)


def _line(state: GroupState) -> Text:
    sign = Markup(
        mrkdwn=":red_circle:" if severity.rank(state.card.severity) == 0 else ":small_orange_diamond:"
    )
    where = next((entry for entry in state.card.links), None)
    title: Text = link(where.url, state.card.title) if where else state.card.title
    summary = f" · {state.card.summary[:100]}" if state.card.summary else ""
    return md("{} *{}* · {}{}", sign, title, words.count(state.card.firing, "alert"), summary)


def _promise(hold: Hold) -> str:
    if hold.kind == "storm":
        return "Those that still fire when it is over get their own messages, the worst first."
    return "Those that still fire have their own messages now."


def _colour(found: Tally) -> Severity:
    if not found.waiting:
        return "good"
    return "critical" if severity.rank(found.waiting[0].card.severity) == 0 else "warning"
