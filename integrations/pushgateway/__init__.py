"""Pushgateway: keeps figures of batch jobs for Prometheus to scrape."""

from __future__ import annotations

from bot.core.integration import Integration, Services


def connect(services: Services) -> Integration:
    settings = services.settings.pushgateway

    def port() -> object:
        from integrations.pushgateway.client import PushgatewayClient  # noqa: PLC0415  # workers only

        return PushgatewayClient(settings)

    return Integration("pushgateway", (), "gateway", port if settings.url else None)
