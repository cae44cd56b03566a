"""What happened in an incident, from the records that were written when it happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

from bot.core.memory import Record, Records
from plugins.alert_relay.incidents.incident import Incident, Member

AFTERMATH = timedelta(minutes=30)
"""What is done this soon after the end belongs to it: a ticket, a last rollback."""
_LIMIT = 500


class Entry(BaseModel):
    """`who` is a Slack user id, another name or empty; `text` is plain and may hold what people wrote.

    `address` is where a browser shows the message that was said, empty when there is none.
    """

    model_config = ConfigDict(frozen=True)
    at: datetime
    kind: str
    text: str
    who: str = ""
    group: str = ""
    address: str = ""


def _mitigation(data: Mapping[str, Any]) -> str:
    said = f": {data['text']}" if data.get("text") else ""
    return f"mitigation {data.get('mitigation', '')} {str(data.get('status', '')).replace('_', ' ')}{said}"


Say = Callable[[Mapping[str, Any]], str]
_OF_GROUPS: dict[str, Say] = {
    "fired": lambda data: f"fires ({data.get('severity') or 'no severity'})",
    "resolved": lambda data: "resolved" + (" (seen at the next look)" if data.get("inferred") else ""),
    "ack": lambda _: "acknowledged",
    "silence": lambda _: "silenced",
    "unsilence": lambda _: "unsilenced",
    "assign": lambda data: f"assigned to {data.get('to', '')}",
    "escalate": lambda data: f"called {data.get('to', '')}",
    "ticket": lambda data: f"ticket {data.get('ticket', '')} created",
    "maintenance": lambda data: f"covered by the maintenance {data.get('name', '')}",
    "mitigation": _mitigation,
}
_INCIDENT = {
    "opened": "incident opened",
    "closed": "incident closed",
    "merged": "{other} became part of it",
}


def of(incident: Incident, records: Records, now: datetime) -> list[Entry]:
    """Oldest first."""
    until = min(now, incident.ended_at + AFTERMATH if incident.ended_at else now) + timedelta(seconds=1)
    found = [entry for member in incident.members for entry in _of_group(member, records, until)]
    for incident_id in (incident.id, *incident.merged):
        found += _of_incident(incident_id, records)
    found += [_marked(record) for record in standing(incident, records).values()]
    return sorted(found, key=lambda entry: entry.at)


def _of_group(member: Member, records: Records, until: datetime) -> Iterator[Entry]:
    since = member.joined_at - timedelta(seconds=1)
    for kind, say in _OF_GROUPS.items():
        for record in records.find(kind, subject=member.key, since=since, until=until, limit=_LIMIT):
            yield Entry(
                at=_at(record),
                kind=kind,
                text=say(record.data),
                who=str(record.data.get("by") or ""),
                group=member.title,
            )


def _at(record: Record) -> datetime:
    """Alerts begin and end when Alertmanager says so, however late that was heard."""
    told = {"fired": "started_at", "resolved": "resolved_at"}.get(record.kind, "")
    found = record.data.get(told)
    return datetime.fromisoformat(found) if found else record.at


def _of_incident(incident_id: str, records: Records) -> Iterator[Entry]:
    for record in records.find("incident", subject=incident_id, limit=_LIMIT):
        by = str(record.data.get("by") or "")
        said = _INCIDENT[str(record.data["what"])].format(**record.data)
        yield Entry(at=record.at, kind="incident", text=said, who=by)


def standing(incident: Incident, records: Records) -> dict[str, Record]:
    """Messages by their ts whose newest mark is one that was put there, not taken away."""
    ids = (incident.id, *incident.merged)
    marks = [record for name in ids for record in records.find("marked", subject=name, limit=_LIMIT)]
    newest = {str(record.data["ts"]): record for record in sorted(marks, key=lambda mark: (mark.at, mark.id))}
    return {ts: record for ts, record in newest.items() if record.data["added"]}


def _marked(record: Record) -> Entry:
    data = record.data
    return Entry(
        at=datetime.fromisoformat(data["said_at"]),
        kind="marked",
        text=str(data["text"]),
        who=str(data["author"]),
        address=str(data.get("address") or ""),
    )
