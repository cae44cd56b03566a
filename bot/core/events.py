"""What comes in: deliveries as received, events as stored, payloads as handlers see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import uuid_utils
from pydantic import BaseModel, ConfigDict, Field

from bot.core.texts import storable_key


def new_id() -> str:
    """A time-ordered unique id (UUID version 7, RFC 9562) as 32 hex digits."""
    return uuid_utils.uuid7().hex


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One inbound request as received. Header names are lower-case."""

    source: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    """Name of a generic webhook, the last part of /webhooks/generic/{name}."""


@dataclass(frozen=True, slots=True)
class DedupeKey:
    """`key` may be claimed by one event within `window` seconds."""

    key: str
    window: float = 25 * 3600.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", storable_key(self.key))


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A delivery verified and normalised, ready for the inbox.

    `runs` names the handlers ("plugin.method") with their queues; `serial` is a key that only one
    run at a time may hold, so that events about one subject never overtake each other.
    """

    source: str
    kind: str
    subject: str
    body: bytes
    dedupe: tuple[DedupeKey, ...] = ()
    serial: str | None = None
    actor: str = ""
    runs: tuple[tuple[str, str], ...] = ()
    dead: str | None = None
    """Why it can't be handled; such an event goes straight to the dead letters."""
    id: str = field(default_factory=new_id)

    def __post_init__(self) -> None:
        if self.serial is not None:
            object.__setattr__(self, "serial", storable_key(self.serial))

    def run_ids(self) -> list[tuple[str, tuple[str, str]]]:
        """Each run's id with its handler and queue; derived, so that it is known before the commit."""
        return [(f"{self.id}-{number}", run) for number, run in enumerate(self.runs)]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the sender may be told: the event's id, and whether it was already known."""

    event_id: str
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """The envelope that a handler finds in `ctx.event`."""

    id: str
    source: str
    kind: str
    subject: str
    received_at: datetime
    actor: str = ""


class Payload(BaseModel):
    """Base of what handlers receive: typed, immutable, tolerant of fields that vendors add."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class User(Payload):
    id: str
    name: str = ""


class ReplyTo(Payload):
    """Where an answer to a person goes: the response URL while it lives, else the channel.

    `replaceable` says that a second answer through the URL may replace the first (a command's may;
    a click's would replace the message with the button).
    """

    channel: str
    user: str
    response_url: str = ""
    thread_ts: str = ""
    replaceable: bool = False


class Command(Payload):
    """`/signalbox alerts list --all` has name "alerts" and text "list --all"."""

    name: str
    text: str = ""
    user: User
    reply_to: ReplyTo
    trigger_id: str = ""


class Click(Payload):
    """A pressed button or chosen option; `args` come from the button's row, never from the wire."""

    button_id: str
    action: str
    args: dict[str, Any] = Field(default_factory=dict)
    selected: tuple[str, ...] = ()
    user: User
    reply_to: ReplyTo
    message_ts: str = ""
    trigger_id: str = ""


class Submission(Payload):
    """A submitted modal: `values` maps the input's id to what was entered."""

    view: str
    private: dict[str, Any] = Field(default_factory=dict)
    values: dict[str, Any] = Field(default_factory=dict)
    user: User
    reply_to: ReplyTo


class ChatMessage(Payload):
    """A message or mention that a person wrote."""

    text: str
    user: User
    channel: str
    ts: str
    thread_ts: str = ""


class Shortcut(Payload):
    """Somebody chose a plugin's entry in the menu of a message; the message's text is plain.

    `by_app` says that an app wrote the message; its author may then be nobody.
    """

    name: str
    message: ChatMessage
    by_app: bool = False
    user: User
    reply_to: ReplyTo
    trigger_id: str = ""


class SharedLinks(Payload):
    """Links in somebody's message to sites that the app's manifest names; as they stand in the message."""

    urls: tuple[str, ...]
    user: User
    channel: str
    ts: str


class Reaction(Payload):
    """Somebody put an emoji on a message, or took it away; `emoji` has no colons."""

    emoji: str
    user: User
    channel: str
    ts: str
    added: bool = True


class Ticket(Payload):
    """A ticket's present state, whichever helpdesk holds it.

    `restricted` says that only some of those who use the helpdesk may see it (a security level in Jira).
    """

    system: str
    key: str
    summary: str = ""
    description: str = ""
    labels: tuple[str, ...] = ()
    status: str = ""
    priority: str = ""
    project: str = ""
    reporter: str = ""
    url: str = ""
    created_at: datetime | None = None
    restricted: bool = False


class TicketEvent(Payload):
    """Something happened to a ticket. A hint: read the ticket before writing to it."""

    ticket: Ticket
    actor: str = ""
    by_us: bool = False
    labels_added: tuple[str, ...] = ()
    labels_removed: tuple[str, ...] = ()


class Alert(Payload):
    fingerprint: str
    status: str
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    starts_at: datetime
    ends_at: datetime | None = None
    generator_url: str = ""
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    muted_by: tuple[str, ...] = ()
    """Names of the time intervals in which its route is mute."""

    @property
    def is_muted(self) -> bool:
        """Whether Alertmanager notifies nobody about it now."""
        return bool(self.silenced_by or self.inhibited_by or self.muted_by)


class AlertGroup(Payload):
    """Alerts that Alertmanager notifies about together.

    `key` is ours: a hash of receiver and group labels, stable when the routing tree is edited
    (Alertmanager's own groupKey is not).
    """

    key: str
    receiver: str
    status: str
    group_labels: dict[str, str] = Field(default_factory=dict)
    common_labels: dict[str, str] = Field(default_factory=dict)
    common_annotations: dict[str, str] = Field(default_factory=dict)
    alerts: tuple[Alert, ...] = ()
    truncated: int = 0
    external_url: str = ""
    group_key: str = ""

    def firing(self) -> tuple[Alert, ...]:
        return tuple(alert for alert in self.alerts if alert.status == "firing")


class Tick(Payload):
    """A schedule is due. `due_at` is the planned time, `zone` the schedule's IANA zone."""

    schedule: str
    due_at: datetime
    zone: str = "UTC"


class Hook(Payload):
    """A signed delivery to /webhooks/generic/{name}."""

    name: str
    data: Any = None


class Errand(Payload):
    """Work that one handler left for another, see `Context.emit`."""

    name: str
    data: dict[str, Any] = Field(default_factory=dict)
