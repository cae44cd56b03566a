"""What is remembered about an alert group between its notifications."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Status = Literal["firing", "resolved"]
LineKind = Literal[
    "fired_again",
    "new",
    "ended",
    "resolved",
    "silenced",
    "silence_changed",
    "silence_ended",
    "acked",
    "assigned",
    "escalated",
    "ending",
    "ticket",
    "csv",
]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Mark(_Value):
    """The newest known state of one alert."""

    status: Status
    starts_at: datetime
    name: str


class Silenced(_Value):
    """The silence that lasts longest of those on this group, wherever it was made.

    `whole` says that it mutes every firing alert of the group; `by` is Alertmanager's createdBy.
    """

    id: str
    until: datetime
    by: str
    comment: str = ""
    whole: bool = True
    until_resolved: bool = False
    warned: bool = False
    """Its maker was reminded that it ends soon."""


class Acked(_Value):
    by: str
    at: datetime


class Pending(_Value):
    """Somebody's request that is on its way to another system."""

    event_id: str
    by: str
    label: str
    at: datetime


class TicketLink(_Value):
    key: str
    url: str


class Line(_Value):
    """One change, told in the thread by the event that brought it about."""

    seq: int
    kind: LineKind
    event_id: str
    by: str = ""
    text: str = ""
    until: datetime | None = None


class Link(_Value):
    label: str
    url: str


class Card(_Value):
    """What the message says about the group itself; small, however many alerts there are."""

    title: str
    severity: str = ""
    summary: str = ""
    description: str = ""
    lines: tuple[str, ...] = ()
    firing: int = 0
    resolved: int = 0
    silenced: int = 0
    more: int = 0
    appeared: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    footnote: str = ""


class GroupState(_Value):
    """`episode` counts messages of the group; `silences` counts what its silence button made."""

    key: str
    channel: str
    labels: dict[str, str]
    routing: dict[str, str] = Field(default_factory=dict)
    """The labels that routes look at."""
    card: Card
    status: Status
    started_at: datetime
    resolved_at: datetime | None = None
    episode: int = 1
    silences: int = 0
    silenced: Silenced | None = None
    pending: dict[str, Pending] = Field(default_factory=dict)
    acked: Acked | None = None
    assignee: str = ""
    ticket: TicketLink | None = None
    escalate_at: datetime | None = None
    """When somebody is called unless the group is acknowledged, silenced or over by then."""
    escalations: int = 0
    fired: tuple[datetime, ...] = ()
    """Its newest starts: many of them in a short time are flapping."""
    history: tuple[Line, ...] = ()
    has_csv: bool = False
    confirmed: bool = False
    """Alertmanager's API has listed the group, so its absence there will mean its end."""
    event_id: str = ""
    """The event that changed it last: handled once more, it changes nothing."""
    marks: dict[str, Mark] = Field(default_factory=dict)

    @property
    def message_key(self) -> str:
        return f"alert:{self.key}:{self.episode}"

    @property
    def claim_group(self) -> str:
        return f"silence:{self.key}:{self.episode}:{self.silences}"

    @property
    def is_quiet(self) -> bool:
        """Nobody need hurry: every firing alert is muted."""
        return self.card.firing == 0 or (self.silenced is not None and self.silenced.whole)

    @property
    def silence_to_end(self) -> bool:
        """A silence 'until resolved' outlived its group."""
        return self.status == "resolved" and self.silenced is not None and self.silenced.until_resolved
