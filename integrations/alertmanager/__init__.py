"""Alertmanager: notifications come in by webhook, silences and the truth about groups through API v2."""

from __future__ import annotations

from bot.core.integration import Integration, Services
from integrations.alertmanager.source import AlertmanagerSource


def connect(services: Services) -> Integration:
    settings = services.settings.alertmanager

    def port() -> object:
        from integrations.alertmanager.client import AlertmanagerClient  # noqa: PLC0415  # workers only

        return AlertmanagerClient(settings)

    source = AlertmanagerSource(settings)
    return Integration("alertmanager", (source,), "alerts", port if settings.url else None)
