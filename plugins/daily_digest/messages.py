"""How the digest looks."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from bot.plugin import Header, Markup, Message, Note, Section, md
from plugins.daily_digest.counts import DAY, Counts


def digest(now: Counts, before: Counts, end: datetime, zone: str, slash: str) -> Message:
    title = f"The day until {end.astimezone(ZoneInfo(zone)):%a %d %b, %H:%M}"
    text = (
        f"{title}: {now.tickets} tickets, {now.tagged} tagged, {now.alerts} alert groups, "
        f"{now.dead_letters} dead letters."
    )
    since = f"{(end - DAY).astimezone(ZoneInfo(zone)):%a %d %b, %H:%M} ({zone})"
    return Message(
        text=text,
        blocks=(
            Header(text=title),
            Section(fields=_fields(now, before)),
            *_to_do(now, slash),
            Note(parts=(f"Since {since}. In brackets: the change from the day before.",)),
        ),
        severity="warning" if now.dead_letters else "info",
        priority="low",
    )


def _fields(now: Counts, before: Counts) -> tuple[Markup, ...]:
    return (
        _field("Tickets", now.tickets, before.tickets, ""),
        _field("Tagged", now.tagged, before.tagged, f"{now.suggested} suggested, {now.left} left to people"),
        _field(
            "Alert groups fired",
            now.alerts,
            before.alerts,
            f"{now.ended} ended, {now.silenced} silenced here",
        ),
        _field("Dead letters", now.dead_letters, before.dead_letters, ""),
    )


def _field(name: str, now: int, before: int, detail: str) -> Markup:
    return md("*{}*\n{} ({})\n{}", name, now, f"{now - before:+d}" if now != before else "same", detail)


def _to_do(now: Counts, slash: str) -> tuple[Section, ...]:
    if not now.dead_letters:
        return ()
    return (Section(text=md(":warning: `{} deadletters` shows what failed and replays it.", slash)),)
