"""A run as a durable state machine. Transitions are pure; `ledger` makes them by compare-and-set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from bot.core.executors import Progress
from bot.plugin import Permanent, Plan

Status = Literal[
    "requested",
    "approved",
    "running",
    "verifying",
    "succeeded",
    "failed",
    "unknown",
    "rolled_back",
    "escalated",
    "refused",
    "rejected",
    "expired",
    "observed",
]
# What may follow what. "failed" and "unknown" are not the end: an inverse or a person follows.
TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    "requested": frozenset({"approved", "rejected", "expired", "refused"}),
    "approved": frozenset({"running", "observed", "expired", "refused"}),
    "running": frozenset({"verifying", "succeeded", "failed", "unknown"}),
    "verifying": frozenset({"succeeded", "failed", "unknown"}),
    "failed": frozenset({"rolled_back", "escalated"}),
    "unknown": frozenset({"succeeded", "failed", "escalated"}),
    "succeeded": frozenset(),
    "rolled_back": frozenset(),
    "escalated": frozenset(),
    "refused": frozenset(),
    "rejected": frozenset(),
    "expired": frozenset(),
    "observed": frozenset(),
}
FINAL = frozenset(status for status, after in TRANSITIONS.items() if not after)
Verdict = Literal["recovered", "not_recovered", "unknown"]
AUTO = "auto"
"""Stands for the requester of a run that no person asked for."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Part(_Value):
    """One execution of a run: the same action on the target that one or more alerts name."""

    alerts: tuple[str, ...]
    parameters: dict[str, Any]
    plan: Plan
    progress: Progress | Literal["skipped"] | None = None
    """None until it was begun."""
    begun_at: datetime | None = None
    begun_by: str = ""
    """The event that began it: only that one may go on without asking what became of it."""
    detail: str = ""
    undo: Progress | None = None
    """"absent": it can't be undone."""
    undo_begun_at: datetime | None = None
    undo_begun_by: str = ""
    undo_detail: str = ""


class Proposal(_Value):
    """What somebody is asked to confirm."""

    id: str
    mitigation: str
    version: str
    group: str
    episode: int
    channel: str
    title: str
    service: str
    environment: str
    alert_since: datetime
    parts: tuple[Part, ...]
    labels: dict[str, str]
    """Of the alert that the queries are filled in with."""
    by: str
    by_name: str = ""
    at: datetime
    expires_at: datetime

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(target for part in self.parts for target in part.plan.targets))

    @property
    def healthy(self) -> int | None:
        """Healthy members of the service; the most that any dry run counted."""
        return max((p.plan.healthy for p in self.parts if p.plan.healthy is not None), default=None)

    @property
    def binding(self) -> str:
        """A hash of action, parameters, targets and alert episode: what is confirmed and approved."""
        said = [
            self.mitigation,
            self.version,
            self.group,
            self.episode,
            sorted([list(part.plan.targets), part.parameters] for part in self.parts),
        ]
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:32]

    @property
    def parameters_hash(self) -> str:
        said = json.dumps([part.parameters for part in self.parts], sort_keys=True, default=str)
        return hashlib.sha256(said.encode()).hexdigest()[:16]


class Reading(_Value):
    """A metric at one time; None is "no data"."""

    goal: float | None = None
    harm: float | None = None


class Transition(_Value):
    seq: int
    to: Status
    at: datetime
    by: str = ""
    text: str = ""


class Run(_Value):
    """A confirmed proposal and what became of it."""

    proposal: Proposal
    binding: str
    revision: int = 0
    """Counts what was stored; who changes an older one comes too late."""
    status: Status = "requested"
    approvals: int = 0
    approved_by: tuple[str, ...] = ()
    wait_until: datetime | None = None
    """When it expires, or is given up, in the status that it has."""
    begun_at: datetime | None = None
    acted_at: datetime | None = None
    """When the last target was acted on: verification counts from here."""
    baseline: Reading = Reading()
    latest: Reading = Reading()
    verdict: Verdict | None = None
    harmed: bool = False
    transitions: tuple[Transition, ...] = ()

    @property
    def id(self) -> str:
        return self.proposal.id

    @property
    def is_open(self) -> bool:
        return self.status not in FINAL

    def was(self, status: Status, *, by: str) -> bool:
        """Whether that person brought it into that status."""
        return any(step.to == status and step.by == by for step in self.transitions)

    @property
    def is_auto(self) -> bool:
        return self.proposal.by == AUTO

    def requested(self, at: datetime, *, text: str = "") -> Run:
        """The beginning: the one transition that comes from nowhere."""
        first = Transition(seq=1, to="requested", at=at, by=self.proposal.by, text=text)
        return self.model_copy(update={"status": "requested", "transitions": (first,)})

    def moved(self, to: Status, at: datetime, *, by: str = "", text: str = "", **changes: Any) -> Run:
        """The run one transition further; Permanent for one that does not exist."""
        if to not in TRANSITIONS[self.status]:
            raise Permanent(f"The run {self.id[:8]} is {self.status} and can't become {to}; nothing changed.")
        seq = len(self.transitions) + 1
        step = Transition(seq=seq, to=to, at=at, by=by, text=text)
        return self.model_copy(update={"status": to, "transitions": (*self.transitions, step), **changes})

    def with_part(self, number: int, **changes: Any) -> Run:
        part = self.proposal.parts[number].model_copy(update=changes)
        parts = (*self.proposal.parts[:number], part, *self.proposal.parts[number + 1 :])
        return self.model_copy(update={"proposal": self.proposal.model_copy(update={"parts": parts})})
