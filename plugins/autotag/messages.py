"""How tags and suggestions look. A ticket's words are plain text here."""

from __future__ import annotations

from collections.abc import Iterable

from bot.plugin import Actions, Button, Markup, Message, Note, Section, Ticket, link, md
from plugins.autotag.policy import Decision

_SUMMARY_LENGTH = 150


def message_key(ticket: str) -> str:
    return f"tag:{ticket}"


def applied(ticket: Ticket, decision: Decision, label: str) -> Message:
    line = md(
        ":label: {} tagged *{}* {}\n{}",
        _link(ticket),
        label,
        _percent(decision.confidence),
        _short(ticket.summary),
    )
    return Message(
        text=f"{ticket.key} tagged {label} {_percent(decision.confidence)}",
        blocks=(Section(text=line), Note(parts=(f"model {decision.model_version}",))),
        severity="good",
        priority="low",
    )


def suggestion(ticket: Ticket, decision: Decision, choices: Iterable[tuple[str, float]]) -> Message:
    group = f"tag:{ticket.key}:{decision.text_hash}"
    buttons = [_choice(ticket, slug, score, group, first=not i) for i, (slug, score) in enumerate(choices)]
    none = Button(text="None of these", action="reject", args={"key": ticket.key}, group=group)
    return Message(
        text=f"{ticket.key}: which category is it?",
        blocks=(
            Section(text=md(":grey_question: {} {}", _link(ticket), _short(ticket.summary))),
            Note(parts=(f"{decision.reason} · model {decision.model_version}",)),
            Actions(elements=(*buttons, none)),
        ),
        severity="info",
    )


def _choice(ticket: Ticket, slug: str, score: float, group: str, *, first: bool) -> Button:
    return Button(
        text=f"{slug} {_percent(score)}",
        action="accept",
        args={"key": ticket.key, "category": slug},
        group=group,
        style="primary" if first else "",
    )


def left(ticket: Ticket, why: str) -> Message:
    return Message(
        text=f"{ticket.key} is not tagged: {why}.",
        blocks=(Section(text=md("{} is not tagged: {}.", _link(ticket), why)),),
    )


def _link(ticket: Ticket) -> Markup:
    return link(ticket.url, ticket.key)


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def _short(text: str) -> str:
    return text if len(text) <= _SUMMARY_LENGTH else text[: _SUMMARY_LENGTH - 1] + "…"
