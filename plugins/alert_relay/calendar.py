"""The maintenance windows of the settings and those that people open, and what they do to a group."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.plugin import Context
from plugins.alert_relay import history
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.routing.maintenance import Maintenance, Planned
from plugins.alert_relay.state import GroupState

_PREFIX = "maintenance:"


def windows(config: AlertRelayConfig, ctx: Context) -> tuple[Maintenance, ...]:
    return (*config.maintenance, *opened(ctx).values())


def opened(ctx: Context) -> dict[str, Maintenance]:
    """Windows that people opened and that are not over, by their ids."""
    found = {
        document.key.removeprefix(_PREFIX): Maintenance.model_validate(document.data)
        for document in ctx.documents.having(_PREFIX)
    }
    return {i: window for i, window in found.items() if window.end is None or window.end > ctx.now()}


def find(ctx: Context, window_id: str) -> Maintenance | None:
    found = ctx.documents.get(f"{_PREFIX}{window_id}")
    return Maintenance.model_validate(found.data) if found else None


def keep(ctx: Context, window_id: str, window: Maintenance) -> None:
    ctx.documents.put(f"{_PREFIX}{window_id}", window.model_dump(mode="json"))


def with_window(
    state: GroupState, planned: Planned | None, now: datetime, escalate_after: timedelta | None
) -> GroupState:
    """A group under another window than before, or under none; what outlasts its window needs somebody."""
    changed = state.model_copy(update={"maintenance": planned})
    if planned is not None:
        if state.maintenance is not None and state.maintenance.name == planned.name:
            return changed
        return history.with_line(changed, "maintenance", text=planned.name, until=planned.until)
    if state.status != "firing":
        return changed
    due = now + escalate_after if escalate_after is not None and state.acked is None else None
    over = state.maintenance.name if state.maintenance else ""
    return history.with_line(changed.model_copy(update={"escalate_at": due}), "maintenance_over", text=over)
