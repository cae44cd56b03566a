"""A dead man's switch: an alert that always fires must keep arriving.

There is one for each such alert, told apart by its labels: a pair of Alertmanagers that one Prometheus
feeds has one between them, as either tells its alerts; two Prometheus with labels of their own have one each.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from pydantic import BaseModel, ConfigDict

from bot.plugin import Alert, AlertGroup, Context, Message, Section, Transient, md
from plugins.alert_relay import words
from plugins.alert_relay.config import AlertRelayConfig

_DOCUMENT = "heartbeats-by-alert"
_TRIES = 5
_NOT_TOLD = {"alertname", "severity"}


class Beat(BaseModel):
    """`losses` counts how often it stayed away: each loss has a message of its own."""

    model_config = ConfigDict(frozen=True)
    source: str
    labels: str = ""
    """What tells it from other heartbeats."""
    at: datetime
    lost: bool = False
    losses: int = 0
    event_id: str = ""
    """The event that last made it lost or found."""


def beat(group: AlertGroup, config: AlertRelayConfig, ctx: Context) -> None:
    """Note what still beats, and say so where it was missed. What has ended beats no more."""
    source = group.external_url or group.receiver
    for alert in group.firing():
        key = alert.fingerprint
        _change(ctx, key, partial(_heard, source=source, alert=alert, ctx=ctx))
        _show(ctx, config, key)


def check(config: AlertRelayConfig, ctx: Context) -> None:
    """Report each heartbeat that stays away too long."""
    patience = timedelta(minutes=config.heartbeat_minutes)
    if not patience:
        return
    for key in _load(ctx)[0]:
        _change(ctx, key, lambda known: _missed(known, patience, ctx))
        _show(ctx, config, key)


def _heard(known: Beat | None, source: str, alert: Alert, ctx: Context) -> Beat:
    if known is None:
        own = [f"{name}={value}" for name, value in sorted(alert.labels.items()) if name not in _NOT_TOLD]
        return Beat(source=source, labels=", ".join(own)[:200], at=ctx.now())
    found = known.model_copy(update={"at": max(known.at, ctx.now()), "source": source})
    return found.model_copy(update={"lost": False, "event_id": ctx.event.id}) if known.lost else found


def _missed(known: Beat | None, patience: timedelta, ctx: Context) -> Beat | None:
    if known is None or known.lost or ctx.now() - known.at < patience:
        return known
    changed = {"lost": True, "losses": known.losses + 1, "event_id": ctx.event.id}
    return known.model_copy(update=changed)


def _show(ctx: Context, config: AlertRelayConfig, key: str) -> None:
    """Show a loss or a return; the event that noticed it does, so a retry shows it too."""
    found = _load(ctx)[0].get(key)
    if found is None or found.event_id != ctx.event.id:
        return
    ctx.step(
        f"heartbeat-{key}-{found.losses}",
        ctx.chat.upsert,
        channel=config.channel,
        key=f"heartbeat:{key}:{found.losses}",
        message=message(found, config.heartbeat, ctx.now()),
    )


def message(found: Beat, name: str, now: datetime) -> Message:
    which = f"{found.source} ({found.labels})" if found.labels else found.source
    if not found.lost:
        text = f"The heartbeat of {which} is back."
        return Message(
            text=text, blocks=(Section(text=md(":large_green_circle: {}", text)),), severity="good"
        )
    silent = words.span((now - found.at).total_seconds())
    text = f"No heartbeat from {which} for {silent}: its alerts may not arrive."
    advice = f"Check that Prometheus and Alertmanager run, and that {name} is routed to Signalbox."
    blocks = (Section(text=md(":red_circle: *{}*\n{}", text, advice)),)
    return Message(text=text, blocks=blocks, severity="critical", priority="high")


def _load(ctx: Context) -> tuple[dict[str, Beat], int]:
    found = ctx.documents.get(_DOCUMENT)
    if found is None:
        return {}, 0
    return {key: Beat.model_validate(data) for key, data in found.data.items()}, found.version


def _change(ctx: Context, key: str, apply: Callable[[Beat | None], Beat | None]) -> None:
    for _ in range(_TRIES):
        beats, version = _load(ctx)
        after = apply(beats.get(key))
        if after is None or after == beats.get(key):
            return
        data = {name: b.model_dump(mode="json") for name, b in {**beats, key: after}.items()}
        if ctx.documents.put(_DOCUMENT, data, version=version):
            return
    raise Transient("The heartbeats are being changed by too many workers at once.")
