"""Tickets that a group needs without a person asking, and what a ticket is told of its group."""

from __future__ import annotations

from bot.plugin import Context, Errand, MessageRef, Permanent, User, on
from plugins.alert_relay import memory, ticketing
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.levers import Levers

_NOBODY = User(id="", name="Signalbox")


class TicketHandlers:
    config: AlertRelayConfig

    @on(ticketing.WANTED)
    def file_ticket(self, errand: Errand, ctx: Context) -> None:
        why = str(errand.data["why"])
        state, _ = memory.load(ctx, str(errand.data["key"]))
        if state is None or state.episode != errand.data["episode"] or not self.config.ticket_project:
            return
        if state.ticket is not None and not memory.is_noted(ctx, "ticket", state.key):
            ctx.step("comment", ctx.tickets.comment, key=state.ticket.key, text=why)
            return
        Levers(self.config, ctx, _NOBODY).ticket(state, why)

    @on(ticketing.LINK)
    def link_ticket(self, errand: Errand, ctx: Context) -> None:
        """Show the message on the ticket; without the right to link issues, a comment has to do."""
        key, title = str(errand.data["ticket"]), str(errand.data["title"])
        url = ctx.chat.permalink(MessageRef.model_validate(errand.data["ref"]))
        try:
            ctx.step("link", ctx.tickets.link, key=key, url=url, title=f"Slack: {title}")
        except Permanent as exc:
            ctx.log.warning("ticket.not_linked", ticket=key, error=str(exc))
            ctx.step("comment", ctx.tickets.comment, key=key, text=f"The alert's message: {url}")

    @on(ticketing.NEWS)
    def tell_ticket(self, errand: Errand, ctx: Context) -> None:
        ctx.step(
            "comment", ctx.tickets.comment, key=str(errand.data["ticket"]), text=str(errand.data["text"])
        )
