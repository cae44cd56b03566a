"""A group's ticket and its message lead to each other; the ticket hears how the group goes on."""

from __future__ import annotations

from bot.core.errors import SignalboxError
from bot.plugin import Context
from plugins.alert_relay import words
from plugins.alert_relay.state import GroupState

LINK, NEWS, WANTED = "alert.ticket-link", "alert.ticket-news", "alert.ticket-wanted"


def address(ctx: Context, state: GroupState) -> str:
    """Where a browser shows the group's message; empty while nobody can say."""
    if state.ref is None:
        return ""
    try:
        return ctx.chat.permalink(state.ref)
    except SignalboxError as exc:
        ctx.log.warning("permalink.not_asked", error=str(exc))
        return ""


def link(ctx: Context, state: GroupState, ticket: str) -> None:
    """Have the message shown on the ticket, however long the helpdesk takes."""
    if state.ref is not None:
        data = {"ticket": ticket, "title": state.card.title, "ref": state.ref.model_dump(mode="json")}
        ctx.emit(LINK, data, subject=ticket)


def want(ctx: Context, state: GroupState, why: str) -> None:
    """Have a ticket filed that no person asked for; the group's own one hears why, if it has one."""
    data = {"key": state.key, "episode": state.episode, "why": why}
    ctx.emit(WANTED, data, subject=state.key)


def tell(ctx: Context, state: GroupState, fact: str) -> None:
    """Have the ticket told of its group's end, or of its new beginning."""
    if state.ticket is None or fact not in {"fired", "resolved"}:
        return
    ctx.emit(NEWS, {"ticket": state.ticket.key, "text": _news(state, fact)}, subject=state.ticket.key)


def _news(state: GroupState, fact: str) -> str:
    if fact == "fired":
        return f"The alert group {state.card.title} fires again."
    end = state.resolved_at or state.started_at
    took = words.span((end - state.started_at).total_seconds())
    return f"The alert group {state.card.title} is resolved since {end:%Y-%m-%d %H:%M} UTC, after {took}."
