"""What is measured as it happens; severities are a closed set."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from plugins.alert_relay import severity
from plugins.alert_relay.state import GroupState

_SECONDS = (15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400)

GROUPS = Counter("signalbox_alert_groups_total", "Alert groups that fired.", ["severity"])
HELD = Counter("signalbox_alert_groups_held_total", "Groups that waited for their message.", ["why"])
INCIDENTS = Counter("signalbox_incidents_total", "Incidents that opened.")
NOTICE_SECONDS = Histogram(
    "signalbox_alert_notice_seconds", "From an alert's start to its being noted here.", buckets=_SECONDS
)
ACKNOWLEDGE_SECONDS = Histogram(
    "signalbox_alert_acknowledge_seconds", "From a group's start to its acknowledgement.", buckets=_SECONDS
)
RESOLVE_SECONDS = Histogram(
    "signalbox_alert_resolve_seconds", "From a group's start to its end.", ["severity"], buckets=_SECONDS
)


def label(word: str) -> str:
    """A severity as a label's value: any team may make up its own."""
    return word if severity.rank(word) < severity.UNKNOWN else "other"


def observe(fact: str, state: GroupState, noticed_after: float) -> None:
    """Count a fact that was noted for the first time."""
    if fact == "fired":
        GROUPS.labels(label(state.card.severity)).inc()
        NOTICE_SECONDS.observe(max(0.0, noticed_after))
        if state.held:
            HELD.labels(state.held.partition(":")[0]).inc()
    elif fact == "resolved" and state.resolved_at is not None:
        seconds = (state.resolved_at - state.started_at).total_seconds()
        RESOLVE_SECONDS.labels(label(state.card.severity)).observe(max(0.0, seconds))
