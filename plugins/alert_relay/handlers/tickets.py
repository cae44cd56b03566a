"""What a ticket is told of its alert group: the way to its message, its end, and that it fires again."""

from __future__ import annotations

from bot.plugin import Context, Errand, MessageRef, Permanent, on
from plugins.alert_relay import ticketing


class TicketHandlers:
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
