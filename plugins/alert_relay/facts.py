"""What is written down about groups: the figures and the timelines are made of nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from plugins.alert_relay.state import GroupState


def between(before: GroupState | None, after: GroupState) -> list[str]:
    """What happened between two states, for the statistics."""
    was_firing = before is not None and before.status == "firing"
    if after.status == "firing":
        return [] if was_firing and before and before.episode == after.episode else ["fired"]
    return ["resolved"] if was_firing or before is None else []


def data(kind: str, state: GroupState) -> dict[str, Any]:
    """The group at that moment; times in ISO 8601, `alerts` counts the different ones so far."""
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
        return {**known, "started_at": _began(state).isoformat(), "planned": state.maintenance is not None}
    end = state.resolved_at or state.started_at
    return {**known, "resolved_at": end.isoformat(), "inferred": state.end_inferred}


def _began(state: GroupState) -> datetime:
    """When the oldest of its firing alerts began, by Alertmanager."""
    starts = [mark.starts_at for mark in state.marks.values() if mark.status == "firing"]
    return min(starts, default=state.started_at)
