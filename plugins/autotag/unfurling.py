"""A pasted link to a ticket becomes a card. What the helpdesk keeps to itself (texts, people) stays there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.plugin import (
    Context,
    Markup,
    Message,
    MessageRef,
    Note,
    Permanent,
    Section,
    SharedLinks,
    Text,
    Ticket,
    join,
    link,
    md,
    on,
)
from plugins.autotag import policy
from plugins.autotag.config import AutoTagConfig
from plugins.autotag.decisions import REVIEW, Decisions
from plugins.autotag.policy import Decision

_MOST = 5
"""More links in one message are a list, which cards would bury."""
_SUMMARY, _LABELS, _GUESSES = 200, 10, 2


class UnfurlHandlers:
    config: AutoTagConfig

    @on("slack.links")
    def unfurl(self, shared: SharedLinks, ctx: Context) -> None:
        if not self.config.unfurl:
            return
        keys = {url: key for url in shared.urls if (key := ctx.ticket_at(url)) is not None}
        found = {url: card for url, key in list(keys.items())[:_MOST] if (card := self._card(key, ctx))}
        if found:
            ref = MessageRef(channel=shared.channel, ts=shared.ts)
            ctx.step("unfurl", ctx.chat.unfurl, ref=ref, cards=found)

    def _card(self, key: str, ctx: Context) -> Message | None:
        try:
            ticket = ctx.tickets.get(key)
        except Permanent as exc:
            ctx.log.info("ticket.not_shown", ticket=key, error=str(exc))
            return None
        is_ours = not self.config.projects or ticket.project in self.config.projects
        if ticket.restricted or not is_ours:
            return None
        reviewed = bool(ctx.records.find(REVIEW, subject=ticket.key, limit=1))
        return card(ticket, Decisions(ctx, ticket.key).newest(), self.config.label_prefix, reviewed=reviewed)


def card(ticket: Ticket, decision: Decision | None, prefix: str, *, reviewed: bool) -> Message:
    summary = ticket.summary[:_SUMMARY]
    parts = [join(" · ", list(_facts(ticket)))] if any(_facts(ticket)) else []
    said = _said(ticket, decision, prefix, reviewed=reviewed) if decision else None
    parts += [said] if said else []
    return Message(
        text=f"{ticket.key}: {summary}",
        blocks=(
            Section(text=md("*{}* {}", link(ticket.url, ticket.key), summary)),
            *((Note(parts=tuple(parts)),) if parts else ()),
        ),
    )


def _facts(ticket: Ticket) -> Iterator[Text]:
    if ticket.status:
        yield ticket.status
    if ticket.priority:
        yield f"priority {ticket.priority}"
    if ticket.labels:
        rest = len(ticket.labels) - _LABELS
        shown = [*ticket.labels[:_LABELS], *([f"and {rest} more"] if rest > 0 else [])]
        yield f"labels: {', '.join(shown)}"


def _said(ticket: Ticket, decision: Decision, prefix: str, *, reviewed: bool) -> Markup | None:
    """What the bot says of it, as long as nobody has said otherwise."""
    if decision.band == "apply":
        ours = [prefix + category for category in decision.categories]
        stand = ", ".join(label for label in ours if label in ticket.labels)
        word = "and somebody looked at it" if reviewed else "by itself"
        sure = f"{decision.confidence:.0%}"
        return md(":label: Signalbox set *{}* {}, {} sure", stand, word, sure) if stand else None
    if decision.band == "suggest" and not reviewed and decision.reason != policy.BY_A_PERSON:
        return md(":grey_question: Signalbox asks: {}?", _guesses(decision.best(_GUESSES)))
    return None


def _guesses(best: Sequence[tuple[str, float]]) -> Markup:
    return join(" or ", [md("*{}* ({})", slug, f"{score:.0%}") for slug, score in best])
