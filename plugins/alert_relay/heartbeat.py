"""A dead man's switch for each Alertmanager: an alert that always fires must keep arriving."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from bot.plugin import AlertGroup, Context, Message, Section, Transient, md
from plugins.alert_relay import words
from plugins.alert_relay.config import AlertRelayConfig

_DOCUMENT = "heartbeats"
_TRIES = 5


class Beat(BaseModel):
    """`losses` counts how often it stayed away: each loss has a message of its own."""

    model_config = ConfigDict(frozen=True)
    source: str
    at: datetime
    lost: bool = False
    losses: int = 0
    event_id: str = ""
    """The event that last made it lost or found."""


def beat(group: AlertGroup, config: AlertRelayConfig, ctx: Context) -> None:
    """Note that an Alertmanager lives, and say so where it was missed."""
    source = group.external_url or group.receiver
    _change(ctx, group.key, lambda known: _heard(known, source, ctx))
    _show(ctx, config, group.key)


def check(config: AlertRelayConfig, ctx: Context) -> None:
    """Report each heartbeat that stays away too long."""
    patience = timedelta(minutes=config.heartbeat_minutes)
    if not patience:
        return
    for key in _load(ctx)[0]:
        _change(ctx, key, lambda known: _missed(known, patience, ctx))
        _show(ctx, config, key)


def _heard(known: Beat | None, source: str, ctx: Context) -> Beat:
    if known is None:
        return Beat(source=source, at=ctx.now())
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
        f"heartbeat-{key[:12]}-{found.losses}",
        ctx.chat.upsert,
        channel=config.channel,
        key=f"heartbeat:{key}:{found.losses}",
        message=message(found, config.heartbeat, ctx.now()),
    )


def message(found: Beat, name: str, now: datetime) -> Message:
    if not found.lost:
        text = f"The heartbeat of {found.source} is back."
        return Message(
            text=text, blocks=(Section(text=md(":large_green_circle: {}", text)),), severity="good"
        )
    silent = words.span((now - found.at).total_seconds())
    text = f"No heartbeat from {found.source} for {silent}: its alerts may not arrive."
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
