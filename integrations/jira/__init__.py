"""Jira Cloud: tickets come in by webhook, labels and comments go out through REST version 3."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from bot.core.integration import Integration, Services
from bot.core.ticket_pages import TicketPages
from integrations.jira.source import KEY, JiraSource

if TYPE_CHECKING:
    from integrations.jira.tickets import JiraTickets


def connect(services: Services) -> Integration:
    settings = services.settings.jira

    @lru_cache(maxsize=1)
    def port() -> JiraTickets:
        from integrations.jira.tickets import JiraTickets  # noqa: PLC0415  # the library is heavy; workers only

        return JiraTickets(settings)

    def own_account() -> str:
        """By which the bot recognises its own changes and does not answer them."""
        return settings.account_id or (port().account_id if settings.url else "")

    if not settings.url:
        return Integration("jira", (JiraSource(settings, own_account),), "tickets")
    pages = TicketPages(settings.url, rf"/browse/(?P<key>{KEY})")
    return Integration("jira", (JiraSource(settings, own_account),), "tickets", port, pages)
