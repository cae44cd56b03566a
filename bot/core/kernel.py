"""The composition root: settings in, a wired kernel out. Web, workers and CLI all start here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, cast

from pydantic import SecretStr

from bot.core.audit import Audit
from bot.core.backup_state import BackupState
from bot.core.buttons import Buttons
from bot.core.database import Database
from bot.core.entry_points import load as load_entry_points
from bot.core.errands import ErrandSource
from bot.core.errors import ConfigError, Permanent
from bot.core.events import utc_now
from bot.core.executors import Executor, load_executors
from bot.core.inbox import DueRun, Inbox
from bot.core.installations import Installations
from bot.core.integration import Integration, PortName, Services, Source
from bot.core.overrides import Overrides
from bot.core.pauses import Pauses
from bot.core.permissions import Permissions
from bot.core.ports import Alerts, Chat, Gateway, Metrics, Tickets
from bot.core.registry import Registry, load_plugins
from bot.core.schedule_source import ScheduleSource
from bot.core.service_ledger import ServiceLedger
from bot.core.settings import Settings
from bot.core.settings_loader import plugin_variables
from bot.core.steps import Steps
from bot.core.stored_messages import StoredMessages
from bot.core.switches import Switches
from bot.core.ticket_pages import TicketPages
from bot.core.tokens import Tokens
from bot.core.trace import Trace, trace

GROUP = "signalbox.integrations"
_SHORTEST_KEY = 32
Enqueue = Callable[[Sequence[DueRun]], None]


class Kernel:
    """Everything a process needs; ports are built on first use.

    Args:
        enqueue: hands runs to the workers; must not raise when the broker is away.
        executors: what mitigations may act with; None: those that are installed.
    """

    def __init__(
        self,
        settings: Settings,
        db: Database,
        registry: Registry,
        connects: Iterable[Callable[[Services], Integration]],
        *,
        enqueue: Enqueue = lambda _: None,
        clock: Callable[[], datetime] = utc_now,
        executors: Mapping[str, Executor] | None = None,
    ) -> None:
        self.settings = settings
        self.db = db
        self.registry = registry
        self.enqueue = enqueue
        self.clock = clock
        self.inbox = Inbox(db, clock, timedelta(seconds=settings.workers.lease_seconds))
        self.steps = Steps(db, clock)
        self.audit = Audit(db, clock)
        self.ledger = ServiceLedger(db, self.audit, clock, settings.environment)
        self.tokens = Tokens(db, self.audit, clock)
        self.backups = BackupState(db, self.ledger, clock)
        self.pauses = Pauses(db, clock)
        self.switches = Switches(db, self.audit, self.ledger, clock)
        self.overrides = Overrides(db, self.audit, registry, plugin_variables(), clock)
        self.messages = StoredMessages(db, clock)
        key = _secret_key(settings)
        self.buttons = Buttons(db, key, clock)
        self.installations = Installations(db, self.audit, key, clock)
        self.permissions = Permissions(settings.roles, self._groups_of)
        self._services = Services(
            settings, self.messages, self.buttons.present, clock, self.port, self.installations
        )
        connected = (connect(self._services) for connect in connects)
        self.integrations = {found.name: found for found in connected}
        _refuse_rivals(self.integrations.values())
        self._ports: dict[PortName, Any] = {}
        self._executors = executors

    @cached_property
    def sources(self) -> dict[str, Source]:
        found = [source for i in self.integrations.values() for source in i.sources]
        return {source.name: source for source in [*found, ScheduleSource(), ErrandSource()]}

    def _groups_of(self, user_id: str) -> frozenset[str]:
        return self.chat.groups_of(user_id)

    @property
    def chat(self) -> Chat:
        return cast(Chat, self.port("chat"))

    @property
    def tickets(self) -> Tickets:
        return cast(Tickets, self.port("tickets"))

    @property
    def alerts(self) -> Alerts:
        return cast(Alerts, self.port("alerts"))

    @property
    def metrics(self) -> Metrics:
        return cast(Metrics, self.port("metrics"))

    @property
    def gateway(self) -> Gateway:
        return cast(Gateway, self.port("gateway"))

    @property
    def ticket_pages(self) -> TicketPages | None:
        """Of the helpdesk that is set up."""
        found = (i.pages for i in self.integrations.values() if i.provides == "tickets" and i.port)
        return next((pages for pages in found if pages is not None), None)

    @cached_property
    def executors(self) -> Mapping[str, Executor]:
        return load_executors(self._services) if self._executors is None else self._executors

    def port(self, name: PortName) -> Any:
        if name not in self._ports:
            self._ports[name] = self._build_port(name)
        return self._ports[name]

    def provided_ports(self) -> list[PortName]:
        """Ports that a configured integration offers."""
        return [i.provides for i in self.integrations.values() if i.provides and i.port]

    def _build_port(self, name: PortName) -> Any:
        for integration in self.integrations.values():
            if integration.provides == name and integration.port is not None:
                return integration.port()
        raise Permanent(
            f"No {name} system is configured. Set its URL and credentials (`signalbox doctor` lists them)."
        )

    def trace(self, event_id: str) -> Trace:
        return trace(self.inbox, self.steps, self.audit, event_id)

    def close(self) -> None:
        self.db.close()


def _refuse_rivals(integrations: Iterable[Integration]) -> None:
    """Of two helpdesks that are set up, neither may silently be left out."""
    found: dict[PortName, str] = {}
    for integration in integrations:
        if integration.provides is None or integration.port is None:
            continue
        rival = found.setdefault(integration.provides, integration.name)
        if rival != integration.name:
            raise ConfigError(
                f"Both {rival} and {integration.name} are set up for {integration.provides}, and only one "
                "can be. Take the settings of the other away; `signalbox doctor` shows where each comes from."
            )


def build_kernel(settings: Settings, *, enqueue: Enqueue = lambda _: None) -> Kernel:
    """The kernel of a real process: its database, installed plugins and installed integrations."""
    db = Database(settings.resolved_database_url())
    return Kernel(settings, db, load_plugins(settings), _connects(), enqueue=enqueue)


def declared_kernel(settings: Settings) -> Kernel:
    """A kernel for what only asks what is installed and set up: it stores nothing and needs no secret."""
    key = settings.secret_key or SecretStr("not used: no button is made here, and nobody signs in")
    return Kernel(
        settings.model_copy(update={"secret_key": key}),
        Database("sqlite://"),
        load_plugins(settings),
        _connects(),
    )


def _connects() -> list[Callable[[Services], Integration]]:
    return list(load_entry_points(GROUP, "integration").values())


def _secret_key(settings: Settings) -> bytes:
    """Whoever could guess it would forge sessions of the console."""
    key = settings.secret_key.get_secret_value() if settings.secret_key else ""
    if len(key) < _SHORTEST_KEY:
        raise ConfigError(
            f"SIGNALBOX_SECRET_KEY is {'too short' if key else 'not set'}. Expected: at least "
            f"{_SHORTEST_KEY} random characters, the same on every node, e.g. the output of: "
            'python -c "import secrets; print(secrets.token_hex(32))". `signalbox up` makes one by itself.'
        )
    return key.encode()
