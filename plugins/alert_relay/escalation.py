"""When somebody is called because nobody took a group. The time is a row; what fires is the present state."""

from __future__ import annotations

from datetime import datetime

from plugins.alert_relay import history
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.state import GroupState


def is_due(state: GroupState, now: datetime) -> bool:
    """Whether a group still needs somebody now, whatever was so when its timer was set."""
    waits = state.status == "firing" and state.acked is None and not state.is_quiet
    return waits and state.escalate_at is not None and state.escalate_at <= now


def escalated(known: GroupState | None, config: AlertRelayConfig, now: datetime) -> GroupState | None:
    """Call the person or group on call, and set the next time unless it was the last."""
    if known is None or not is_due(known, now):
        return known
    route = config.route_for({**known.routing, **known.labels})
    after, target = config.escalates_after(route), config.called(route, now)
    if after is None or not target:
        return known.model_copy(update={"escalate_at": None})
    count = known.escalations + 1
    again = now + after if count < config.max_escalations else None
    changed = known.model_copy(update={"escalations": count, "escalate_at": again})
    return history.with_line(changed, "escalated", text=target)
