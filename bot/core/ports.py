"""Ports: how plugins reach outside systems. One protocol a capability; adapters live in integrations/.

Methods that change the outside take `step_key`, the recorded step's key, and carry it along (message
metadata, comment, entity property). For a call that was cut off, the kernel asks `reconcile_<method>`
of the same object, with the same arguments, for the result; None means "it never happened". A method
marked `@idempotent` is simply called again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from bot.core.events import AlertGroup, ReplyTo, Ticket
from bot.core.messages import Message, MessageRef, Modal

F = TypeVar("F", bound=Callable[..., object])


def idempotent(method: F) -> F:
    """Mark a port method whose repetition changes nothing that a person would see."""
    method.__idempotent__ = True  # type: ignore[attr-defined]
    return method


class Health(BaseModel):
    """`detail` says what is wrong and what to do; empty when all is well."""

    model_config = ConfigDict(frozen=True)
    status: Literal["ok", "degraded", "down"] = "ok"
    detail: str = ""


class Said(BaseModel):
    """A message of anybody, as it stands in the chat; `thread_ts` is empty outside of threads."""

    model_config = ConfigDict(frozen=True)
    user: str
    text: str
    thread_ts: str = ""


class Chat(Protocol):
    """Where people talk (Slack)."""

    def upsert(
        self, *, channel: str, key: str, message: Message, step_key: str, thread: MessageRef | None = None
    ) -> MessageRef:
        """Post the message known by `key`, or update it in place. Updates coalesce to the newest.

        `thread` says under which message it is posted; one that stands already stays where it is.
        """
        ...

    def post(
        self, *, channel: str, message: Message, step_key: str, thread: MessageRef | None = None
    ) -> MessageRef:
        """Post a new message, once."""
        ...

    def reply(self, *, to: ReplyTo, message: Message, step_key: str, public: bool = False) -> bool:
        """Answer a person; only they see it unless `public`. True once it was handed over."""
        ...

    def refresh(self, *, ref: MessageRef, step_key: str) -> None:
        """Send a stored message again as it stands now (its buttons may have been claimed)."""
        ...

    def open_modal(self, *, trigger_id: str, modal: Modal, step_key: str) -> None: ...

    def publish_home(self, *, user: str, message: Message, step_key: str) -> None:
        """Show a person's Home tab anew; it replaces what stood there."""
        ...

    def unfurl(self, *, ref: MessageRef, cards: Mapping[str, Message], step_key: str) -> bool:
        """Show a card, without buttons, for each of these links in somebody's message; again: instead.

        False when the message or the links are gone.
        """
        ...

    def upload(
        self,
        *,
        channel: str,
        filename: str,
        content: bytes,
        title: str,
        step_key: str,
        thread: MessageRef | None = None,
    ) -> str:
        """Upload a file; returns its id."""
        ...

    def permalink(self, ref: MessageRef) -> str:
        """The address at which a browser shows this message."""
        ...

    def read(self, ref: MessageRef) -> Said | None:
        """What stands there now, whoever wrote it; None when it is gone."""
        ...

    def groups_of(self, user_id: str) -> frozenset[str]:
        """Handles of the user groups that a person belongs to, e.g. {"oncall"}."""
        ...

    def health(self) -> Health: ...


class TicketPage(BaseModel):
    """Part of a search's answer; `after` asks for the next part, empty when this is the last."""

    model_config = ConfigDict(frozen=True)
    tickets: tuple[Ticket, ...]
    after: str = ""


class Tickets(Protocol):
    """A helpdesk (Jira, …)."""

    def get(self, key: str) -> Ticket: ...

    def search(self, query: str, *, after: str = "") -> TicketPage:
        """Tickets in the helpdesk's own query language (JQL), a hundred at most."""
        ...

    def create(
        self, *, project: str, summary: str, description: str, labels: tuple[str, ...], step_key: str
    ) -> Ticket:
        """File a ticket, once; a label that holds the step's key makes it found again."""
        ...

    def add_label(self, *, key: str, label: str, step_key: str) -> None:
        """Add one label and leave all others alone."""
        ...

    def remove_label(self, *, key: str, label: str, step_key: str) -> None:
        """Remove one label and leave all others alone; nothing happens when it is not there."""
        ...

    def comment(self, *, key: str, text: str, step_key: str) -> str:
        """Comment on a ticket, once; returns the comment's id."""
        ...

    def link(self, *, key: str, url: str, title: str, step_key: str) -> None:
        """Show a web address on the ticket; the same address again changes nothing."""
        ...

    def health(self) -> Health: ...


class Matcher(BaseModel):
    """A label's condition; a label that is missing counts as empty, as in Alertmanager."""

    model_config = ConfigDict(frozen=True)
    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True

    def fits(self, labels: Mapping[str, str]) -> bool:
        found = labels.get(self.name, "")
        same = bool(re.fullmatch(self.value, found)) if self.is_regex else found == self.value
        return same == self.is_equal


class Silence(BaseModel):
    model_config = ConfigDict(frozen=True)
    id: str
    matchers: tuple[Matcher, ...] = ()
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    created_by: str = ""
    comment: str = ""
    state: str = "active"


class Alerts(Protocol):
    """Alertmanager: the truth about alerts and silences."""

    def groups(self) -> Sequence[AlertGroup]: ...

    def silences(self) -> Sequence[Silence]: ...

    def silence(
        self,
        *,
        matchers: tuple[Matcher, ...],
        ends_at: datetime,
        created_by: str,
        comment: str,
        step_key: str,
    ) -> Silence: ...

    def expire(self, *, silence_id: str, step_key: str) -> None: ...

    def health(self) -> Health: ...


class Sample(BaseModel):
    """One series' value at a time; `labels` hold the metric's name as __name__ where it has one."""

    model_config = ConfigDict(frozen=True)
    labels: Mapping[str, str]
    at: datetime
    value: float


class Series(BaseModel):
    """One series over time, oldest first; times without a value are absent."""

    model_config = ConfigDict(frozen=True)
    labels: Mapping[str, str]
    points: tuple[tuple[datetime, float], ...]


class Rule(BaseModel):
    """An alerting rule as Prometheus holds it; `hold` is its `for` in seconds."""

    model_config = ConfigDict(frozen=True)
    name: str
    expression: str
    hold: float = 0.0
    labels: Mapping[str, str] = {}


class GaugeValue(BaseModel):
    """One gauge's value, as it is pushed."""

    model_config = ConfigDict(frozen=True)
    name: str
    help: str
    labels: Mapping[str, str] = {}
    value: float


class Gateway(Protocol):
    """Pushgateway: figures of batch jobs, kept there for Prometheus to scrape."""

    @idempotent
    def push(self, *, job: str, figures: Sequence[GaugeValue], step_key: str) -> None:
        """Replace all figures of the job."""
        ...

    def health(self) -> Health: ...


class Metrics(Protocol):
    """Prometheus. Every method reads; times are aware, values may be NaN or infinite, as in Prometheus."""

    def query(self, expression: str, *, at: datetime | None = None) -> Sequence[Sample]:
        """The instant vector (a scalar is one sample without labels)."""
        ...

    def query_range(
        self, expression: str, *, start: datetime, end: datetime, step: float
    ) -> Sequence[Series]:
        """Values every `step` seconds from `start` to `end`, both included."""
        ...

    def rules(self) -> Sequence[Rule]:
        """The alerting rules that are loaded."""
        ...

    def health(self) -> Health: ...
