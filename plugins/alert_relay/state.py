"""What is remembered about an alert group between its notifications."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.plugin import MessageRef
from plugins.alert_relay.routing.maintenance import Planned

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
    "mitigation",
    "mitigation_call",
    "maintenance",
    "maintenance_over",
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
    inhibited: int = 0
    """Muted by another alert that fires."""
    muted: int = 0
    """Muted by a time interval of Alertmanager's routes."""
    more: int = 0
    appeared: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    footnote: str = ""

    @property
    def active(self) -> int:
        """Alerts that fire, whether anybody is notified about them or not."""
        return self.firing + self.silenced + self.inhibited + self.muted


class Sibling(_Value):
    """Another group of the same incident, as the incident's line shows it."""

    title: str
    severity: str
    status: Status
    elsewhere: str = ""
    """Its channel, unless its message stands in the thread."""


class Others(_Value):
    """The other groups of an incident: counted, and the first of them listed."""

    total: int = 0
    firing: int = 0
    listed: tuple[Sibling, ...] = ()


class SeenRun(_Value):
    """A mitigation's run as the message shows it."""

    run: str
    mitigation: str
    title: str
    status: str
    is_open: bool
    seq: int
    """The newest of its transitions that was told."""
    text: str
    by: str = ""
    ask: Literal["", "approve", "judge"] = ""
    """What people are asked about it."""
    binding: str = ""
    agreed: int = 0


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
    end_inferred: bool = False
    """Nobody told its end: it came at most one poll before `resolved_at`."""
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
    source: str = ""
    """The address that the Alertmanager which told it gives itself."""
    event_id: str = ""
    """The event that changed it last: handled once more, it changes nothing."""
    marks: dict[str, Mark] = Field(default_factory=dict)
    ref: MessageRef | None = None
    """Where its message stands."""
    placed: int = 0
    """The version that noted the place and changed nothing else."""
    thread: MessageRef | None = None
    """The incident's line, when the message stands under that."""
    incident: str = ""
    others: Others = Others()
    """The other groups of its incident, kept by the group that is the incident's line."""
    held: str = ""
    """Why it has no message yet: the id of what holds it back."""
    maintenance: Planned | None = None
    shown_at: datetime | None = None
    slowed: bool = False
    """It flaps, and what changed last is shown later."""
    levers: tuple[str, ...] = ()
    """Names of the mitigations that fit an alert of it."""
    runs: tuple[SeenRun, ...] = ()
    """What is being done about it and was done last, oldest first."""

    @property
    def is_looked_after(self) -> bool:
        """Whether the clock has something to do for it."""
        return self.status == "firing" or self.silence_to_end or self.slowed

    @property
    def message_key(self) -> str:
        return f"alert:{self.key}:{self.episode}"

    @property
    def claim_group(self) -> str:
        return f"silence:{self.key}:{self.episode}:{self.silences}"

    @property
    def is_quiet(self) -> bool:
        """Nobody need hurry: every firing alert is muted, or it was planned."""
        muted = self.silenced is not None and self.silenced.whole
        return self.card.firing == 0 or muted or self.maintenance is not None

    @property
    def silence_to_end(self) -> bool:
        """A silence 'until resolved' outlived its group."""
        return self.status == "resolved" and self.silenced is not None and self.silenced.until_resolved
