"""Service records as values: changes, incidents, events, requests in the terms of ITIL 4, and how they move.

No personal data: people stand here by their ids only. docs/records.md says what is aligned and what is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1
SERVICE = "signalbox"

RecordType = Literal["change", "incident", "event", "service_request"]
ChangeType = Literal["standard", "normal", "emergency"]
ChangeStatus = Literal[
    "draft", "assessed", "authorised", "scheduled", "implementing", "implemented", "failed", "backed_out",
    "reviewed", "closed",
]  # fmt: skip
IncidentStatus = Literal["new", "in_progress", "resolved", "closed"]
RequestStatus = Literal["requested", "fulfilled", "rejected"]
EventClass = Literal["informational", "warning", "exception"]
Level = Literal["low", "medium", "high"]
ActorType = Literal["user", "service", "scheduler"]
Via = Literal["slack", "api", "cron", "cli", "console"]

# From each status, where a record may go. "" is where it comes into being.
TRANSITIONS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "change": {
        "": frozenset({"draft", "assessed", "authorised"}),
        "draft": frozenset({"assessed", "closed"}),
        "assessed": frozenset({"authorised", "closed"}),
        "authorised": frozenset({"scheduled", "implementing", "closed"}),
        "scheduled": frozenset({"implementing", "closed"}),
        "implementing": frozenset({"implemented", "failed", "backed_out"}),
        "implemented": frozenset({"reviewed", "backed_out"}),
        "failed": frozenset({"reviewed", "backed_out"}),
        "backed_out": frozenset({"reviewed"}),
        "reviewed": frozenset({"closed"}),
        "closed": frozenset(),
    },
    "incident": {
        "": frozenset({"new"}),
        "new": frozenset({"in_progress", "resolved"}),
        "in_progress": frozenset({"resolved"}),
        "resolved": frozenset({"in_progress", "closed"}),
        "closed": frozenset(),
    },
    "event": {"": frozenset({"noted"}), "noted": frozenset()},
    "service_request": {
        "": frozenset({"requested", "fulfilled", "rejected"}),
        "requested": frozenset({"fulfilled", "rejected"}),
        "fulfilled": frozenset(),
        "rejected": frozenset(),
    },
}
_LEVELS: Mapping[str, int] = {"low": 1, "medium": 2, "high": 3}


def may_move(record_type: str, before: str, after: str) -> bool:
    return after in TRANSITIONS[record_type].get(before, frozenset())


def priority(one: Level, other: Level) -> int:
    """1 (first) to 5 (last) from impact and urgency, or impact and likelihood."""
    return 7 - _LEVELS[one] - _LEVELS[other]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RecordActor(_Model):
    """Who acts on a record, and through which door."""

    type: ActorType
    id: str
    via: Via

    @classmethod
    def of(cls, person: str) -> RecordActor:
        """A person as the audit trail names them: `cli:ann`, `console:U1`, else a Slack id."""
        door = person.partition(":")[0]
        return cls(type="user", id=person, via=door if door in {"cli", "console"} else "slack")


class ConfigurationItem(_Model):
    """What a record is about; `digest` pins the exact thing, e.g. a model's sha256."""

    type: Literal["model", "dataset", "pipeline", "config", "image", "service"]
    name: str
    version: str = ""
    digest: str = ""


class Risk(_Model):
    impact: Level = "low"
    likelihood: Level = "low"
    measures: str = Field("", description="What keeps the risk small.")

    @property
    def score(self) -> int:
        """1 (small) to 9 (great)."""
        return _LEVELS[self.impact] * _LEVELS[self.likelihood]


class Authorisation(_Model):
    """One decision of a change authority: a person, a template, or the emergency rule."""

    authority: str
    decision: Literal["approved", "rejected"]
    at: datetime
    rationale: str = ""


class Review(_Model):
    """Post-implementation review: was it worth it, what did we learn?"""

    by: str
    at: datetime
    successful: bool
    lessons: str = ""


class Body(_Model):
    """What every record has besides its envelope."""

    title: str
    items: tuple[ConfigurationItem, ...] = ()
    related: dict[str, str] = Field(
        default_factory=dict, description="Links: incident, change, event, jira_key, slack_channel, slack_ts."
    )


class Change(Body):
    """Anything added, modified or removed that could affect the service."""

    id: str = ""
    status: ChangeStatus = "draft"
    change_type: ChangeType
    template: str = Field("", description="Pre-authorised template of a standard change.")
    reason: str
    initiator: str
    affected_services: tuple[str, ...] = (SERVICE,)
    risk: Risk = Risk()
    plan: str
    backout_plan: str
    evidence: dict[str, Any] = Field(
        default_factory=dict, description="Test evidence: metrics with intervals, data hash, code version."
    )
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    authorisation: tuple[Authorisation, ...] = ()
    before: Any = None
    after: Any = None
    ended_as: Literal["", "implemented", "failed", "backed_out", "rejected"] = ""
    ended_at: datetime | None = None
    outcome: str = Field("", description="What came of it, in words.")
    review: Review | None = None

    @property
    def ended(self) -> bool:
        return self.status in {"implemented", "failed", "backed_out", "reviewed", "closed"}


class Incident(Body):
    """An unplanned interruption or loss of quality; impact and urgency make its priority."""

    id: str = ""
    status: IncidentStatus = "new"
    category: str
    impact: Level
    urgency: Level
    detected_by: str
    detected_at: datetime
    assignee: str = ""
    workaround: str = ""
    resolution: str = ""
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    caused_by_change: str = ""

    @property
    def priority(self) -> int:
        return priority(self.impact, self.urgency)


class ServiceEvent(Body):
    """A change of state that matters: a run finished, a drift warning, a failed check. Not a change."""

    id: str = ""
    status: Literal["noted"] = "noted"
    event_class: EventClass
    source: str
    signal: str
    value: float | str | None = None
    threshold: float | str | None = None
    correlated_incident: str = ""
    detail: dict[str, Any] = Field(default_factory=dict)


class ServiceRequest(Body):
    """Something that a person asked for and that needs no change, such as scoring on demand."""

    id: str = ""
    status: RequestStatus = "requested"
    requester: str
    answer: str = ""


MODELS: Mapping[str, type[Body]] = {
    "change": Change,
    "incident": Incident,
    "event": ServiceEvent,
    "service_request": ServiceRequest,
}
