"""Slack as the chat port: rendering, rate budget, living messages."""

from __future__ import annotations

from bot.core.integration import Integration, Services
from bot.slack.source import SlackSource


def connect(services: Services) -> Integration:
    settings = services.settings

    def port() -> object:
        from integrations.slack.chat import SlackChat  # noqa: PLC0415  # the Web API client: workers only

        return SlackChat.connect(services)

    is_set_up = settings.slack.bot_token or settings.slack.home_team
    return Integration("slack", (SlackSource(),), "chat", port if is_set_up else None)
