"""What the clock does for open groups, twice a minute: compare, remind, escalate, close."""

from __future__ import annotations

from datetime import timedelta

from bot.core.errors import SignalboxError
from bot.plugin import Context, Transient
from plugins.alert_relay import escalation, history, memory, policy, releases, silencing, truth
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.desk import Desk
from plugins.alert_relay.state import GroupState
from plugins.alert_relay.stats import gather


def walk(config: AlertRelayConfig, ctx: Context) -> None:
    """Go through the open groups. Timers run on while Alertmanager is away; the comparison is made up for."""
    states = memory.open_states(ctx)
    receivers = memory.receivers(ctx)
    found, away = _ask(ctx) if states or receivers else (truth.NOT_ASKED, None)
    desk = Desk(config, ctx)
    for state in states:
        _visit(config, ctx, desk, desk.reconcile(state, found) or state)
    _adopt(config, ctx, desk, found, receivers)
    releases.walk(config, ctx, states)
    gather.note_rules(ctx)
    if away is not None and (isinstance(away, Transient) or any(state.confirmed for state in states)):
        raise away


def _adopt(
    config: AlertRelayConfig, ctx: Context, desk: Desk, found: truth.Truth, receivers: frozenset[str]
) -> None:
    """Take in what Alertmanager holds and did not tell: a notification was refused, lost or never due."""
    before = ctx.now() - timedelta(minutes=config.adopt_minutes)
    for group in found.groups or ():
        if group.receiver in receivers and not policy.is_heartbeat(group, config.heartbeat):
            state, _ = memory.load(ctx, group.key)
            if policy.is_untold(state, group, before):
                desk.relay(group, found)


def _ask(ctx: Context) -> tuple[truth.Truth, SignalboxError | None]:
    try:
        return truth.ask(ctx), None
    except SignalboxError as exc:
        return truth.NOT_ASKED, exc


def _visit(config: AlertRelayConfig, ctx: Context, desk: Desk, state: GroupState) -> None:
    if state.slowed and not history.is_slowed(state, ctx.now()):
        desk.catch_up(state.key)
    if state.status == "resolved":
        _end_silence(ctx, desk, state)
        return
    notice = timedelta(minutes=config.remind_minutes)
    if notice and silencing.ends_soon(state, ctx.now(), notice):
        desk.change(state.key, lambda known: _warned(known, ctx, notice))
    if escalation.is_due(state, ctx.now()) and not state.held and not _is_hushed(config, ctx, state):
        desk.change(state.key, lambda known: escalation.escalated(known, config, ctx.now()))


def _is_hushed(config: AlertRelayConfig, ctx: Context, state: GroupState) -> bool:
    """Whether it can wait for the morning: its timer runs on, and is looked at again then."""
    hours = config.quiet_for(config.route_for({**state.routing, **state.labels}))
    return hours is not None and hours.until(state.card.severity, ctx.now()) is not None


def _end_silence(ctx: Context, desk: Desk, state: GroupState) -> None:
    """A silence 'until resolved' has done its work."""
    held = state.silenced
    if held is None or not state.silence_to_end:
        return
    if held.until > ctx.now():
        ctx.step(f"expire-{held.id[:36]}", ctx.alerts.expire, silence_id=held.id)
    desk.change(state.key, lambda known: policy.unsilenced(known, held.id))


def _warned(known: GroupState | None, ctx: Context, notice: timedelta) -> GroupState | None:
    if known is None or known.silenced is None or not silencing.ends_soon(known, ctx.now(), notice):
        return known
    held = known.silenced
    marked = known.model_copy(update={"silenced": held.model_copy(update={"warned": True})})
    user = held.by.removeprefix("slack:")
    return history.with_line(marked, "ending", by=user, text=f"{held.until:%H:%M} UTC")
