"""Jira Cloud and Data Center: tickets come in by webhook, labels and comments go out through REST."""

from __future__ import annotations

from bot.core.integration import Integration, Services
from integrations.jira.source import JiraSource


def connect(services: Services) -> Integration:
    settings = services.settings.jira

    def port() -> object:
        from integrations.jira.tickets import JiraTickets  # noqa: PLC0415  # the library is heavy; workers only

        return JiraTickets(settings)

    return Integration("jira", (JiraSource(settings),), "tickets", port if settings.url else None)
