"""What the clock does for open groups, twice a minute: compare, remind, escalate, close."""

from __future__ import annotations

from datetime import timedelta

from bot.core.errors import SignalboxError
from bot.plugin import Context
from plugins.alert_relay import escalation, history, memory, policy, silencing, truth
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.desk import Desk
from plugins.alert_relay.state import GroupState


def walk(config: AlertRelayConfig, ctx: Context) -> None:
    """Go through the open groups. Timers run on while Alertmanager is away; the comparison is made up for."""
    states = [state for key in memory.open_keys(ctx) if (state := memory.load(ctx, key)[0]) is not None]
    found, away = _ask(ctx) if any(state.confirmed for state in states) else (NOT_ASKED, None)
    desk = Desk(config, ctx)
    for state in states:
        _visit(config, ctx, desk, desk.reconcile(state, found) or state)
    if away is not None:
        raise away


NOT_ASKED = truth.Truth(None, None)


def _ask(ctx: Context) -> tuple[truth.Truth, SignalboxError | None]:
    try:
        return truth.ask(ctx), None
    except SignalboxError as exc:
        return NOT_ASKED, exc


def _visit(config: AlertRelayConfig, ctx: Context, desk: Desk, state: GroupState) -> None:
    if state.status == "resolved":
        _end_silence(ctx, desk, state)
        return
    notice = timedelta(minutes=config.remind_minutes)
    if notice and silencing.ends_soon(state, ctx.now(), notice):
        desk.change(state.key, lambda known: _warned(known, ctx, notice))
    if escalation.is_due(state, ctx.now()):
        desk.change(state.key, lambda known: escalation.escalated(known, config, ctx.now()))


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
