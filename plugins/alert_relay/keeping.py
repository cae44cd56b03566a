"""What is forgotten: ended groups, their incidents and runs late, what only waited for a click soon."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from bot.plugin import Context
from plugins.alert_relay import memory
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.incidents import ledger as incidents
from plugins.alert_relay.mitigation import ledger as mitigations
from plugins.alert_relay.mitigation.scene import Scene

_UNTIL_CLICKED = timedelta(days=7)


def tidy(config: AlertRelayConfig, ctx: Context, scene: Scene) -> None:
    """Forget what is old; what is still open stays, however old it is."""
    opened = set(_open(ctx, scene))
    ended = ctx.now() - timedelta(days=config.keep_days)
    for prefix in ("group:", "incident:", "incident-of:", "mitigation-run:", "mitigation-auto-refused:"):
        _forget(ctx, prefix, ended, opened)
    for prefix in ("mitigation-proposal:", "held:", "quoted:"):
        _forget(ctx, prefix, ctx.now() - _UNTIL_CLICKED)


def _open(ctx: Context, scene: Scene) -> Iterator[str]:
    for state in memory.open_states(ctx):
        yield memory.document_of(state.key)
        if state.incident:
            yield incidents.document_of(state.incident)
    for run in scene.ledger.open_runs():
        yield mitigations.document_of(run.id)


def _forget(ctx: Context, prefix: str, before: datetime, but: Collection[str] = ()) -> None:
    while ctx.documents.forget(prefix, before, but=but):
        pass
