from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bot.core.errors import SignalboxError
from bot.plugin import (
    AlertGroup,
    Click,
    Context,
    Health,
    Permanent,
    Plugin,
    Refused,
    Tick,
    action,
    on,
    schedule,
)
from plugins.alert_relay import memory, messages, policy
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.state import GroupState


class AlertRelay(Plugin[AlertRelayConfig]):
    name = "alert-relay"
    Config = AlertRelayConfig

    @on("alertmanager.group")
    def relay(self, delivered: AlertGroup, ctx: Context) -> None:
        if policy.is_heartbeat(delivered, self.config.heartbeat):
            memory.note_once(ctx, "heartbeat", delivered.key, {"receiver": delivered.receiver})
            return
        group, confirmed = policy.current(delivered, _listed(ctx))
        channel = self.config.channel_for({**group.common_labels, **group.group_labels})

        def apply(known: GroupState | None) -> GroupState | None:
            return policy.advance(
                known,
                group,
                now=ctx.now(),
                channel=channel,
                shown=self.config.shown_alerts,
                confirmed=confirmed,
                reopen=timedelta(minutes=self.config.reopen_minutes),
                event_id=ctx.event.id,
            )

        self._change(delivered.key, apply, ctx)

    @action("silence", permission="alerts.silence")
    def silence(self, click: Click, ctx: Context) -> str:
        state = self._still_firing(click, ctx)
        chosen = policy.matchers(state.labels)
        if not chosen:
            raise Refused(
                "This group has no labels of its own: the silence would mute every alert. "
                "Group by a label in Alertmanager's route.",
                check="breadth",
            )
        label = messages.silence_label(self._silence_for)
        made = ctx.step(
            "silence",
            ctx.alerts.silence,
            matchers=chosen,
            ends_at=ctx.now() + self._silence_for,
            created_by=f"slack:{click.user.id}",
            comment=f"{label} pressed by {click.user.name or click.user.id}",
        )
        until = made.ends_at or ctx.now() + self._silence_for
        if not memory.is_noted(ctx, "silence", state.key):
            after = {"silence": made.id, "until": until.isoformat()}
            ctx.audit("alerts.silence", state.card.title, after=after)
            ctx.records.append("silence", state.key, {"by": click.user.id, "id": made.id})
        self._change(
            state.key, lambda known: policy.silenced(known, made.id, until, click.user.id, ctx.event.id), ctx
        )
        return f"until {until:%H:%M} UTC"

    def _still_firing(self, click: Click, ctx: Context) -> GroupState:
        state, _ = memory.load(ctx, click.args["key"])
        gone = state is None or state.status == "resolved" or state.episode != click.args["episode"]
        if state is None or gone:
            raise Refused("This group is resolved; there is nothing to silence.", check="still-firing")
        return state

    @schedule("* * * * *")
    def reconcile(self, tick: Tick, ctx: Context) -> None:  # noqa: ARG002  # every minute is like any other
        """Alertmanager sends no word when a silenced group ends, or when a silence is made elsewhere."""
        keys = memory.open_keys(ctx)
        if not keys:
            return
        listed = {group.key: group for group in ctx.alerts.groups()}
        for key in keys:
            live = listed.get(key)

            def apply(known: GroupState | None, live: AlertGroup | None = live) -> GroupState | None:
                return policy.reconciled(
                    known, live, now=ctx.now(), shown=self.config.shown_alerts, event_id=ctx.event.id
                )

            self._change(key, apply, ctx)

    def health(self, ctx: Context) -> Health:
        try:
            return ctx.alerts.health()
        except Permanent as exc:
            return Health(status="degraded", detail=str(exc))

    def _change(self, key: str, apply: memory.Change, ctx: Context) -> None:
        """Note what happened, keep the new state, show it: in this order, so that a retry loses nothing."""
        before, _ = memory.load(ctx, key)
        after = apply(before)
        if after is None:
            ctx.log.info("alerts.nothing_new", group=key)
            return
        for fact in policy.facts(before, after):
            memory.note_once(ctx, fact, key, {"title": after.card.title, "severity": after.card.severity})
        memory.change(ctx, key, apply)
        self._show_newest(key, ctx)

    def _show_newest(self, key: str, ctx: Context) -> None:
        """Show until what is shown is what is kept: whoever shows last, shows the newest."""
        state, version = memory.load(ctx, key)
        shown = 0
        while state is not None and version != shown:
            ctx.step(
                f"show-{key[:12]}-{version}",
                ctx.chat.upsert,
                channel=state.channel,
                key=state.message_key,
                message=messages.group(state, self._silence_for),
            )
            shown = version
            state, version = memory.load(ctx, key)

    @property
    def _silence_for(self) -> timedelta:
        return timedelta(hours=self.config.silence_hours)


def _listed(ctx: Context) -> Sequence[AlertGroup] | None:
    """What Alertmanager holds now; None when it can't be asked, which must not delay the message."""
    try:
        return ctx.alerts.groups()
    except SignalboxError as exc:
        ctx.log.warning("alertmanager.not_asked", error=str(exc))
        return None
