"""Prometheus: what was measured, and the rules that alerts come from. It sends nothing by itself."""

from __future__ import annotations

from bot.core.integration import Integration, Services


def connect(services: Services) -> Integration:
    settings = services.settings.prometheus

    def port() -> object:
        from integrations.prometheus.client import PrometheusClient  # noqa: PLC0415  # workers only

        return PrometheusClient(settings)

    return Integration("prometheus", (), "metrics", port if settings.url else None)
