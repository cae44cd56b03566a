"""What is written down about groups: the figures and the timelines are made of nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from plugins.alert_relay.state import GroupState


def between(before: GroupState | None, after: GroupState) -> list[str]:
    """What happened between two states."""
    found = list(_course(before, after))
    was = before.maintenance if before else None
    if after.maintenance is not None and (was is None or was.name != after.maintenance.name):
        found.append("maintenance")
    if before is not None and after.escalations > before.escalations:
        found.append("escalate")
    return found


def _course(before: GroupState | None, after: GroupState) -> Iterator[str]:
    was_firing = before is not None and before.status == "firing"
    if after.status == "firing":
        if not (was_firing and before and before.episode == after.episode):
            yield "fired"
    elif was_firing or before is None:
        yield "resolved"


def data(kind: str, state: GroupState) -> dict[str, Any]:
    """The group at that moment; times in ISO 8601, `alerts` counts the different ones so far."""
    if kind == "maintenance" and state.maintenance is not None:
        return {"name": state.maintenance.name, "until": state.maintenance.until.isoformat()}
    if kind == "escalate":
        called = [line.text for line in state.history if line.kind == "escalated"]
        return {"by": "", "to": called[-1] if called else ""}
    known = {
        "title": state.card.title,
        "severity": state.card.severity,
        "labels": {**state.routing, **state.labels},
        "channel": state.channel,
        "episode": state.episode,
        "started_at": state.started_at.isoformat(),
        "alerts": len(state.marks),
    }
    if kind == "fired":
        return {**known, "started_at": began(state).isoformat(), "planned": state.maintenance is not None}
    end = state.resolved_at or state.started_at
    return {**known, "resolved_at": end.isoformat(), "inferred": state.end_inferred}


def began(state: GroupState) -> datetime:
    """When the oldest of its firing alerts began, by Alertmanager."""
    starts = [mark.starts_at for mark in state.marks.values() if mark.status == "firing"]
    return min(starts, default=state.started_at)
