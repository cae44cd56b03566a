from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from bot.plugin import MessageRef
from plugins.alert_relay import severity
from plugins.alert_relay.state import GroupState, Others, Sibling, Status

MOST_MEMBERS = 200
"""More belong to another incident: one that nobody can survey helps nobody."""
_LISTED = 8


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Member(_Value):
    """An alert group as the incident knows it; `alerts` counts the different ones so far."""

    key: str
    title: str
    severity: str
    status: Status
    channel: str
    joined_at: datetime
    started_at: datetime
    ended_at: datetime | None = None
    alerts: int = 1
    urgent: bool = False
    """It fires, and nobody acknowledged, silenced or planned it."""


class Line(_Value):
    """The group whose message is the incident's line in one channel; `ref` once it is posted."""

    key: str
    severity: str
    claimed_at: datetime
    ref: MessageRef | None = None


class Incident(_Value):
    id: str
    labels: dict[str, str]
    opened_at: datetime
    members: tuple[Member, ...] = ()
    lines: dict[str, Line] = {}
    closed_at: datetime | None = None
    closed_by: str = ""
    merged: tuple[str, ...] = ()
    """Incidents that went into this one."""
    merged_into: str = ""

    @property
    def number(self) -> int:
        return int(self.id.partition("-")[2])

    @property
    def title(self) -> str:
        shared = ", ".join(self.labels.values())
        names = list(dict.fromkeys(member.title for member in self.members))
        rest = f" and {len(names) - 1} more" if len(names) > 1 else ""
        return f"{shared}: {names[0]}{rest}" if shared and names else (names or [self.id])[0] + rest

    @property
    def severity(self) -> str:
        return min((m.severity for m in self.members), key=severity.rank, default="")

    @property
    def firing(self) -> tuple[Member, ...]:
        return tuple(member for member in self.members if member.status == "firing")

    @property
    def alerts(self) -> int:
        return sum(member.alerts for member in self.members)

    @property
    def ended_at(self) -> datetime | None:
        """When its last group ended, or when it was closed; None while one fires."""
        if self.closed_at is not None:
            return self.closed_at
        if self.firing:
            return None
        return max((m.ended_at for m in self.members if m.ended_at), default=self.opened_at)

    @property
    def started_at(self) -> datetime:
        """When its first alert began, by Prometheus."""
        return min((member.started_at for member in self.members), default=self.opened_at)

    def member(self, key: str) -> Member | None:
        return next((member for member in self.members if member.key == key), None)

    def takes(self, now: datetime, *, reopen: timedelta, within: timedelta) -> bool:
        """Whether another group joins it, rather than being an incident of its own."""
        ended = self.ended_at
        newest = max((member.joined_at for member in self.members), default=self.opened_at)
        is_open = self.closed_at is None and (ended is None or now - ended <= reopen)
        return is_open and now - newest <= within and len(self.members) < MOST_MEMBERS


def member_of(state: GroupState, known: Member | None, now: datetime) -> Member:
    firing = state.status == "firing"
    return Member(
        key=state.key,
        title=state.card.title,
        severity=state.card.severity or (known.severity if known else ""),
        status=state.status,
        channel=state.channel,
        joined_at=known.joined_at if known else now,
        started_at=min(known.started_at, state.started_at) if known else state.started_at,
        ended_at=None if firing else (state.resolved_at or now),
        alerts=max(len(state.marks), known.alerts if known else 1),
        urgent=firing and state.acked is None and not state.is_quiet,
    )


def with_member(incident: Incident, member: Member) -> Incident:
    others = tuple(known for known in incident.members if known.key != member.key)
    ordered = sorted((*others, member), key=lambda m: (m.joined_at, m.key))
    return incident.model_copy(update={"members": tuple(ordered)})


def with_line(incident: Incident, channel: str, line: Line) -> Incident:
    return incident.model_copy(update={"lines": {**incident.lines, channel: line}})


def others(incident: Incident, channel: str) -> Others:
    """The other groups as the incident's line in a channel shows them, the worst first."""
    line = incident.lines.get(channel)
    found = [member for member in incident.members if line is not None and member.key != line.key]
    ordered = sorted(found, key=lambda m: (m.status != "firing", severity.rank(m.severity), m.joined_at))
    return Others(
        total=len(found),
        firing=sum(member.status == "firing" for member in found),
        listed=tuple(
            Sibling(
                title=member.title,
                severity=member.severity,
                status=member.status,
                elsewhere="" if member.channel == channel else member.channel,
            )
            for member in ordered[:_LISTED]
        ),
    )


def merged(one: Incident, other: Incident) -> Incident:
    """`one` with all that was of `other`."""
    known = {member.key for member in one.members}
    for member in other.members:
        one = with_member(one, member) if member.key not in known else one
    return one.model_copy(
        update={
            "lines": {**other.lines, **one.lines},
            "merged": (*one.merged, other.id, *other.merged),
            "opened_at": min(one.opened_at, other.opened_at),
        }
    )


def grouping(labels: dict[str, str], wanted: Sequence[str]) -> dict[str, str]:
    """What groups of one incident share; empty when this group lacks any of it."""
    found = {name: labels.get(name, "") for name in wanted}
    return found if found and all(found.values()) else {}
