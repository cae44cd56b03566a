"""Groups that waited get their messages: when the storm or the quiet is over, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bot.plugin import Context
from plugins.alert_relay import escalation
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.holding import holds, summary
from plugins.alert_relay.holding.holds import Hold
from plugins.alert_relay.state import GroupState

RELEASE = "alert.release"
_BATCH = 20
_ASKED_FOR = timedelta(minutes=5)


def walk(config: AlertRelayConfig, ctx: Context, states: Sequence[GroupState]) -> None:
    found = holds.load(ctx.documents)
    for hold in found.holds.values():
        over = holds.is_over(found, hold, ctx.now(), limit=config.storm_groups)
        _visit(config, ctx, hold, over=over)
    _free_the_forgotten(ctx, states, set(found.holds))


def _visit(config: AlertRelayConfig, ctx: Context, hold: Hold, *, over: bool) -> None:
    """Count first: posting takes its time where many wait, each with attempts of its own."""
    found = summary.read(ctx, hold)
    if hold.kind == "storm" or over:
        summary.show(ctx, hold, found, over=over)
    for state in _next(config, ctx, found.waiting, over=over, quiet=hold.kind == "quiet"):
        ask(ctx, state)
    if over and not found.waiting:
        holds.finish(ctx, hold)


def ask(ctx: Context, state: GroupState) -> None:
    """Have a group shown; those of one channel go one after the other, as the chat can take them."""
    ctx.emit(
        RELEASE,
        {"key": state.key},
        subject=state.key,
        serial=f"release:{state.channel}",
        once=f"{state.key}:{state.episode}:{state.held}",
        within=_ASKED_FOR.total_seconds(),
    )


def _next(
    config: AlertRelayConfig, ctx: Context, waiting: Sequence[GroupState], *, over: bool, quiet: bool
) -> list[GroupState]:
    """Whoever has to be called is not kept waiting; of the others as many as a channel can take."""
    due = [s for s in waiting if escalation.is_due(s, ctx.now()) or (quiet and _is_loud(config, ctx, s))]
    others = [state for state in waiting if over and state not in due]
    return [*due, *others][: config.storm_groups or _BATCH]


def _is_loud(config: AlertRelayConfig, ctx: Context, state: GroupState) -> bool:
    """It has become too urgent to wait for the morning."""
    hours = config.quiet_for(config.route_for({**state.routing, **state.labels}))
    return hours is None or hours.until(state.card.severity, ctx.now()) is None


def _free_the_forgotten(ctx: Context, states: Sequence[GroupState], known: set[str]) -> None:
    """A group that ended while it waited, and fires again after the wait was over."""
    for state in states:
        if state.status == "firing" and state.held and state.held not in known:
            ask(ctx, state)
