"""What an adapter package gives the product: a source of deliveries, a port, or both.

An entry point of the group `signalbox.integrations` names a function `connect(services) -> Integration`.
It must be cheap and import nothing heavy: the web process calls it too, and needs only the sources.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from bot.core.errors import Permanent
from bot.core.events import Delivery, NewEvent, Payload
from bot.core.installations import Installations
from bot.core.messages import Message
from bot.core.settings import Settings
from bot.core.stored_messages import StoredMessages
from bot.core.ticket_pages import TicketPages

PortName = Literal["chat", "tickets", "alerts", "metrics", "gateway"]


class Source(Protocol):
    """Turns one system's deliveries into events. Pure: no I/O, the clock is an argument."""

    @property
    def name(self) -> str: ...

    @property
    def max_body(self) -> int:
        """Bytes; larger bodies are answered 413 before they are read whole."""
        ...

    def verify(self, delivery: Delivery, now: datetime) -> None:
        """Raise BadDelivery(status=401) unless the delivery is authentic and fresh."""
        ...

    def normalise(self, delivery: Delivery, now: datetime) -> NewEvent | None:
        """Name kind, subject, dedupe keys; None for what needs no handling. BadDelivery(400) if malformed.

        The body is stored as received; `parse` reads it in the worker, so that a parser's fault is
        mended by a replay.
        """
        ...

    def parse(self, kind: str, body: bytes) -> Payload: ...


def _no_port(name: PortName) -> Any:
    raise Permanent(f"There is no {name} system here.")


@dataclass(frozen=True)
class Services:
    """What the kernel lends to adapters."""

    settings: Settings
    messages: StoredMessages
    present: Callable[[Message], Message]
    """Replaces claimed buttons by who claimed them; apply it to every message just before sending."""
    clock: Callable[[], datetime]
    port: Callable[[PortName], Any] = _no_port
    """Another adapter's port, built on first use; for executors that act through one."""
    installations: Installations | None = None
    """Workspaces that the chat app is installed in besides the one of the settings."""


@dataclass(frozen=True)
class Integration:
    """`port` builds the adapter on first use; None when the system is not configured."""

    name: str
    sources: tuple[Source, ...] = ()
    provides: PortName | None = None
    port: Callable[[], Any] | None = None
    pages: TicketPages | None = None
    """Of a helpdesk: where a browser shows its tickets; None when nobody can say."""


Connect = Callable[[Services], Integration]
