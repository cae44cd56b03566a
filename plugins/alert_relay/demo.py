"""Twelve weeks of made-up alerts: groups that fired and ended, what was done, and their incidents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.demo import Effect, Stage
from bot.demo.stage import PEOPLE
from plugins.alert_relay.incidents.incident import Incident, Member
from plugins.alert_relay.incidents.ledger import document_of

PLUGIN = "alert-relay"
_DAYS = 83
_A_DAY = (0, 0, 0, 1, 1, 2)
_SERVICES = ("checkout", "search", "payments")
_ALERTS = (
    ("HighErrorRate", "critical"),
    ("DiskFilling", "warning"),
    ("LatencyHigh", "critical"),
    ("QueueGrows", "warning"),
)
_POSTED = (Effect("post", "SlackChat.upsert"),)
_COUNT = "incidents"
_ACKED, _MITIGATED, _WORKED, _JOINED = 0.8, 0.4, 0.75, 0.2
_PRESSED = {
    "alerts.ack": ("ack", "acknowledge"),
    "mitigation.requested": ("mitigate", "ask_for_mitigation"),
    "mitigation.approved": ("approve-mitigation", "approve_mitigation"),
}
"""The button and the handler behind what a person does; the rest is the plugin's own doing."""
_SAID = {
    "succeeded": "The share of failed requests is back below its goal.",
    "failed": "The share of failed requests is as it was.",
}


@dataclass(frozen=True)
class _Group:
    number: int
    title: str
    severity: str
    service: str
    start: datetime
    lasted: timedelta
    alerts: int

    @property
    def key(self) -> str:
        return f"demo-{self.number}"

    @property
    def end(self) -> datetime:
        return self.start + self.lasted


def make_up(stage: Stage) -> None:
    documents = stage.documents(PLUGIN, stage.now)
    found = documents.get(_COUNT)
    newest = int(found.data["newest"]) if found else 0
    for groups in _fires(stage):
        newest += 1
        incident = _happened(stage, groups, f"INC-{newest}")
        documents.put(document_of(incident.id), incident.model_dump(mode="json"), durable=False)
    documents.put(_COUNT, {"newest": newest})


def _fires(stage: Stage) -> Iterator[list[_Group]]:
    """The groups of one incident after the other; now and then one brings another with it."""
    number = 0
    for day in reversed(range(1, _DAYS)):
        for _ in range(stage.chance.choice(_A_DAY)):
            start = stage.now - timedelta(days=day) + timedelta(minutes=stage.chance.randint(0, 1200))
            service = stage.chance.choice(_SERVICES)
            groups: list[_Group] = []
            for _ in range(1 + (stage.chance.random() < _JOINED)):
                number += 1
                title, severity = stage.chance.choice(_ALERTS)
                later = start + timedelta(minutes=4 * len(groups))
                lasted = timedelta(minutes=stage.chance.randint(6, 90))
                alerts = stage.chance.randint(1, 6)
                groups.append(_Group(number, title, severity, service, later, lasted, alerts))
            yield groups


def _happened(stage: Stage, groups: list[_Group], incident_id: str) -> Incident:
    members = tuple(_group(stage, group) for group in groups)
    opened = min(member.joined_at for member in members)
    told = {"what": "opened", "group": groups[0].key}
    stage.records(PLUGIN, opened).append("incident", incident_id, told, durable=False)
    labels = {"service": groups[0].service}
    return Incident(id=incident_id, labels=labels, opened_at=opened, members=members)


def _group(stage: Stage, group: _Group) -> Member:
    noticed = group.start + timedelta(seconds=stage.chance.randint(20, 200))
    _fact(stage, group, noticed, "fired", {
        "started_at": group.start.isoformat(), "title": group.title, "severity": group.severity,
        "labels": {"alertname": group.title, "service": group.service},
        "planned": False, "alerts": group.alerts, "channel": "#alerts",
    })  # fmt: skip
    if stage.chance.random() < _ACKED:
        by, at = stage.chance.choice(PEOPLE), max(noticed, group.start + group.lasted * 0.25)
        seconds = (at - group.start).total_seconds()
        _act(stage, group, at, "ack", "alerts.ack", {"by": by, "after_seconds": seconds})
    if stage.chance.random() < _MITIGATED:
        _mitigate(stage, group)
    _fact(stage, group, group.end, "resolved", {
        "resolved_at": group.end.isoformat(), "inferred": False, "alerts": group.alerts,
    })  # fmt: skip
    return Member(
        key=group.key, title=group.title, severity=group.severity, status="resolved", channel="#alerts",
        joined_at=noticed, started_at=group.start, ended_at=group.end, alerts=group.alerts,
    )  # fmt: skip


def _mitigate(stage: Stage, group: _Group) -> None:
    """From the press to the verdict; the last word counts."""
    by, other = stage.chance.sample(PEOPLE, 2)
    ended = "succeeded" if stage.chance.random() < _WORKED else "failed"
    run = {
        "run": f"{group.number:032x}", "mitigation": "demo-restart", "service": group.service,
        "targets": [f"{group.service}-1"], "auto": False, "title": f"Restart {group.service}", "episode": 1,
        "environment": "demo", "requested_by": by, "approved_by": [other], "harmed": False, "verdict": None,
    }  # fmt: skip
    for share, status, who, text in (
        (0.55, "requested", by, ""),
        (0.6, "approved", other, ""),
        (0.62, "running", "", ""),
        (0.9, ended, "", _SAID[ended]),
    ):
        at = group.start + group.lasted * share
        said = {**run, "status": status, "by": who, "text": text}
        _act(stage, group, at, "mitigation", f"mitigation.{status}", said)


def _act(stage: Stage, group: _Group, at: datetime, kind: str, action: str, data: dict[str, Any]) -> None:
    event, actor = None, f"plugin:{PLUGIN}"
    if pressed := _PRESSED.get(action):
        button, handler = pressed
        actor = str(data["by"])
        event = stage.event(
            at, "slack.action", f"{PLUGIN}:{button}", f"{PLUGIN}.{handler}", actor=actor, effects=_POSTED
        )
    stage.records(PLUGIN, at, event).append(kind, group.key, data, durable=False)
    subject = str(data.get("mitigation", group.title))
    stage.audit(at, actor, action, subject, after=data, event_id=event)


def _fact(stage: Stage, group: _Group, at: datetime, kind: str, data: dict[str, Any]) -> None:
    event = stage.event(
        at, "alertmanager.group", f"{group.title} {group.service}", f"{PLUGIN}.relay", effects=_POSTED
    )
    stage.records(PLUGIN, at, event).append(kind, group.key, data, durable=False)
