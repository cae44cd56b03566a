"""Incidents as answers in the chat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.plugin import Markup, Message, Section, Text, join, link, md, mention
from plugins.alert_relay import severity, words
from plugins.alert_relay.incidents.incident import Incident, Member
from plugins.alert_relay.incidents.timeline import Entry

_SHOWN, _ENTRIES = 15, 25


def overview(incidents: Sequence[Incident], now: datetime, *, head: str) -> Message:
    if not incidents:
        return _message(f"{head}: none.", [f"{head}: none."])
    ordered = sorted(incidents, key=lambda i: (not i.firing, -i.number))
    lines: list[Text] = [_line(found, now) for found in ordered[:_SHOWN]]
    rest = len(ordered) - _SHOWN
    more: list[Text] = [f"and {rest} more"] if rest > 0 else []
    return _message(f"{head}: {len(incidents)}.", [md("*{}: {}*", head, len(incidents)), *lines, *more])


def _line(found: Incident, now: datetime) -> Text:
    groups = words.count(len(found.members), "group")
    if found.ended_at is not None:
        took = words.span((found.ended_at - found.started_at).total_seconds())
        return md(":large_green_circle: *{}* {} · {}, over after {}", found.id, found.title, groups, took)
    age = words.span((now - found.started_at).total_seconds())
    return md("{} *{}* {} · {}, since {}", _sign(found.severity), found.id, found.title, groups, age)


def _sign(word: str) -> Markup:
    rank = severity.rank(word)
    return Markup(mrkdwn=":red_circle:" if rank <= 1 else ":large_orange_circle:")


def story(found: Incident, entries: Sequence[Entry], now: datetime) -> Message:
    """One incident: what it is made of, and its timeline, the newest part of it when it is long."""
    lines: list[Text] = [_line(found, now), *(_member(member) for member in found.members[:_SHOWN])]
    if found.merged:
        lines.append(f"With {', '.join(found.merged)}.")
    rest = len(entries) - _ENTRIES
    told: list[Text] = [f"{rest} earlier entries are in the export."] if rest > 0 else []
    told += [_entry(entry) for entry in entries[-_ENTRIES:]]
    return Message(
        text=f"{found.id}: {found.title}",
        blocks=(Section(text=join("\n", lines)), Section(text=join("\n", told or ["Nothing happened yet."]))),
    )


def _member(member: Member) -> Text:
    state = f"ended {member.ended_at:%H:%M} UTC" if member.ended_at else "fires"
    return md("• {} · {} · {} · {}", member.title, member.severity or "no severity", state, member.channel)


def _entry(entry: Entry) -> Text:
    name: Text = mention(entry.who) if words.is_user(entry.who) else entry.who
    who = md(" {}", name) if entry.who else ""
    group = f"{entry.group}: " if entry.group else ""
    at = md(" ({})", link(entry.address, "message")) if entry.address else ""
    return md("`{}` {}{}{}{}", f"{entry.at:%d %b %H:%M:%S}", group, entry.text[:300], who, at)


def _message(text: str, lines: Sequence[Text]) -> Message:
    return Message(text=text, blocks=(Section(text=join("\n", list(lines))),))
