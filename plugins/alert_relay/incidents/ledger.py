"""Where incidents are kept. Those who write hold the ledger alone: two groups never open it twice."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime, timedelta
from typing import NamedTuple

from bot.core.memory import Documents
from bot.plugin import Context, MessageRef, Refused
from plugins.alert_relay import metrics, severity
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.incidents import incident as policy
from plugins.alert_relay.incidents.incident import Incident, Line
from plugins.alert_relay.state import GroupState

LOCK = "incidents"
_COUNT = "incidents"
_KEY = re.compile(r"(?:INC-)?(\d{1,9})", re.IGNORECASE)
POSTED_WITHIN = timedelta(seconds=30)


class Ledger:
    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def get(self, incident_id: str) -> Incident | None:
        """The incident, or the one that it was merged into."""
        found = self._documents.get(document_of(incident_id))
        if found is None:
            return None
        known = Incident.model_validate(found.data)
        return self.get(known.merged_into) if known.merged_into else known

    def asked(self, key: str) -> Incident:
        """The incident that a person names; refused with how to name one."""
        matched = _KEY.fullmatch(key.strip())
        found = self.get(f"INC-{matched.group(1)}") if matched else None
        if found is None:
            raise Refused(
                f"There is no incident {key.strip()[:40]!r}. `incident list` shows the keys, such as INC-12.",
                check="known",
            )
        return found

    def all(self) -> list[Incident]:
        """Oldest first, without those that went into others."""
        found = (Incident.model_validate(document.data) for document in self._documents.having("incident:"))
        return [known for known in found if not known.merged_into]

    def put(self, incident: Incident) -> None:
        self._documents.put(document_of(incident.id), incident.model_dump(mode="json"))

    def open_for(self, state: GroupState, config: AlertRelayConfig) -> Incident | None:
        """The newest incident of the labels that this group shares."""
        found = self._documents.get(_pointer(state, config))
        return self.get(str(found.data["id"])) if found else None

    def opened(self, state: GroupState, config: AlertRelayConfig, now: datetime) -> Incident:
        counted = self._documents.get(_COUNT)
        number = int(counted.data["newest"]) + 1 if counted else 1
        labels = policy.grouping({**state.routing, **state.labels}, config.incident_labels)
        made = Incident(id=f"INC-{number}", labels=labels, opened_at=now)
        self._documents.put(_COUNT, {"newest": number})
        self._documents.put(_pointer(state, config), {"id": made.id})
        return made


def follow(ctx: Context, state: GroupState, config: AlertRelayConfig) -> tuple[Incident, bool]:
    """The incident that a group belongs to, kept up with the group; and whether that changed it."""
    ledger = Ledger(ctx.documents)
    known = ledger.get(state.incident) if state.incident else None
    if known is not None and _holds(known, state, ctx):
        return known, False
    with ctx.exclusive(LOCK, durable=False) as tx:
        ledger = Ledger(tx.documents)
        known = _of(ledger, state, config, ctx)
        if known is None:
            known = ledger.opened(state, config, ctx.now())
            tx.records.append("incident", known.id, {"what": "opened", "group": state.key})
            metrics.INCIDENTS.inc()
        member = policy.member_of(state, known.member(state.key), ctx.now())
        after = policy.with_member(known, member)
        ledger.put(after)
    return after, True


def _holds(known: Incident, state: GroupState, ctx: Context) -> bool:
    member = known.member(state.key)
    if member is None or _fires_anew(known, state):
        return False
    return member == policy.member_of(state, member, member.ended_at or ctx.now())


def _fires_anew(known: Incident, state: GroupState) -> bool:
    """A group that starts again after somebody closed its incident begins another."""
    member = known.member(state.key)
    ended = member is None or member.status == "resolved"
    return known.closed_at is not None and ended and state.status == "firing"


def _of(ledger: Ledger, state: GroupState, config: AlertRelayConfig, ctx: Context) -> Incident | None:
    known = ledger.get(state.incident) if state.incident else None
    if known is not None and known.member(state.key) and not _fires_anew(known, state):
        return known
    reopen, within = timedelta(minutes=config.reopen_minutes), timedelta(hours=config.incident_hours)
    found = ledger.open_for(state, config)
    fits = found is not None and found.takes(ctx.now(), reopen=reopen, within=within)
    return found if fits else None


class Place(NamedTuple):
    """The line of the incident in a channel; `before` is the group that was it until now."""

    line: Line
    is_mine: bool
    before: str = ""


def place(ctx: Context, state: GroupState) -> Place | None:
    """Where a group's first message goes: it is the incident's line in its channel, or goes under that.

    A group that is worse than the line becomes the line: the channel hears of it.
    """
    with ctx.exclusive(LOCK, durable=False) as tx:
        ledger = Ledger(tx.documents)
        known = ledger.get(state.incident)
        if known is None:
            return None
        line = known.lines.get(state.channel)
        if line is not None and line.key == state.key:
            return Place(line, is_mine=True)
        if line is not None and not _is_worse(state, line) and not _is_lost(line, ctx):
            return Place(line, is_mine=False)
        mine = Line(key=state.key, severity=state.card.severity, claimed_at=ctx.now())
        ledger.put(policy.with_line(known, state.channel, mine))
        return Place(mine, is_mine=True, before=line.key if line else "")


def _is_worse(state: GroupState, line: Line) -> bool:
    return severity.rank(state.card.severity) < severity.rank(line.severity)


def _is_lost(line: Line, ctx: Context) -> bool:
    """Whoever was to post the line did not, in good time."""
    return line.ref is None and ctx.now() - line.claimed_at > POSTED_WITHIN


def note_line(ctx: Context, state: GroupState, ref: MessageRef) -> None:
    """The incident's line stands now: others can go under it."""
    known = Ledger(ctx.documents).get(state.incident)
    line = known.lines.get(state.channel) if known else None
    if line is None or line.key != state.key or line.ref == ref:
        return
    with ctx.exclusive(LOCK, durable=False) as tx:
        ledger = Ledger(tx.documents)
        newest = ledger.get(state.incident)
        if newest is not None and newest.lines.get(state.channel) == line:
            placed = line.model_copy(update={"ref": ref})
            ledger.put(policy.with_line(newest, state.channel, placed))


def document_of(incident_id: str) -> str:
    return f"incident:{int(incident_id.partition('-')[2]):09d}"


def _pointer(state: GroupState, config: AlertRelayConfig) -> str:
    labels = policy.grouping({**state.routing, **state.labels}, config.incident_labels)
    shared = json.dumps(sorted(labels.items())) if labels else state.key
    return f"incident-of:{hashlib.sha256(shared.encode()).hexdigest()[:32]}"
