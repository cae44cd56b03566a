"""The real kernel on a throw-away database, with fakes for the ports and the executors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bot.core.declare import Plugin
from bot.core.integration import Integration, Services
from bot.core.kernel import Kernel
from bot.core.registry import Registry
from bot.core.settings import Role, Settings
from bot.core.ticket_pages import TicketPages
from bot.testing.alerts import FakeAlerts
from bot.testing.chat import FakeChat
from bot.testing.clock import Clock
from bot.testing.databases import empty_database
from bot.testing.executors import FakeExecutors
from bot.testing.gateway import FakeGateway
from bot.testing.metrics import FakeMetrics
from bot.testing.source import KitSource
from bot.testing.tickets import FakeTickets

KEY = "a key for tests, known to everybody"


class World:
    """Everything around the plugin under test."""

    def __init__(self, plugins: Iterable[Plugin[Any]], settings: Settings, database_url: str) -> None:
        self.clock = Clock()
        self.source = KitSource()
        self.tickets = FakeTickets()
        self.alerts = FakeAlerts(self.clock)
        self.metrics = FakeMetrics(self.clock)
        self.gateway = FakeGateway()
        self.executors = FakeExecutors()
        self.chat: FakeChat
        self.kernel = Kernel(
            settings,
            empty_database(database_url),
            _registry(plugins),
            [
                self._connect_chat,
                self._connect_tickets,
                self._connect_alerts,
                self._connect_metrics,
                self._connect_gateway,
            ],
            clock=self.clock,
            executors=self.executors,
        )

    def _connect_chat(self, services: Services) -> Integration:
        self.chat = FakeChat(services)
        return Integration("kit-chat", (self.source,), "chat", lambda: self.chat)

    def _connect_tickets(self, _: Services) -> Integration:
        pages = TicketPages("https://tickets.example", r"/browse/(?P<key>[A-Z]+-\d+)")
        return Integration("kit-tickets", (), "tickets", lambda: self.tickets, pages)

    def _connect_alerts(self, _: Services) -> Integration:
        return Integration("kit-alerts", (), "alerts", lambda: self.alerts)

    def _connect_metrics(self, _: Services) -> Integration:
        return Integration("kit-metrics", (), "metrics", lambda: self.metrics)

    def _connect_gateway(self, _: Services) -> Integration:
        return Integration("kit-gateway", (), "gateway", lambda: self.gateway)


def kit_settings(roles: dict[str, Role], **fields: Any) -> Settings:
    return Settings.model_validate({"secret_key": KEY, "roles": roles, **fields})


def _registry(plugins: Iterable[Plugin[Any]]) -> Registry:
    registry = Registry()
    for plugin in plugins:
        registry.add(plugin, version="test")
    return registry
