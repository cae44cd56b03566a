"""One run's work on alert groups: change the state, show it, tell the thread what changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bot.plugin import AlertGroup, Context, MessageRef
from plugins.alert_relay import history, memory, messages, policy, table
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.mitigation import offers
from plugins.alert_relay.state import GroupState, Line
from plugins.alert_relay.truth import Truth


class Desk:
    """Args:
    actor: who asked for it; empty for the clock and Alertmanager.
    """

    def __init__(self, config: AlertRelayConfig, ctx: Context, actor: str = "") -> None:
        self._config = config
        self._ctx = ctx
        self._actor = actor

    def change(self, key: str, apply: memory.Change, *, group: AlertGroup | None = None) -> GroupState | None:
        """Note what happened, keep the new state, show it: in this order, so that a retry loses nothing."""
        apply = offers.following(apply, group, self._config.mitigations)
        before, _ = memory.load(self._ctx, key)
        after = apply(before)
        for fact in policy.facts(before, after) if after is not None else ():
            known = after or before
            data = {"title": known.card.title, "severity": known.card.severity} if known else {}
            memory.note_once(self._ctx, fact, key, data)
        memory.change(self._ctx, key, lambda known: self._signed(known, apply(known)))
        state, _ = memory.load(self._ctx, key)
        if state is not None and self._is_ours(state):
            self.show(key, group)
        return state

    def _signed(self, before: GroupState | None, after: GroupState | None) -> GroupState | None:
        """A changed state with its lines and the event that changed it; None when nothing did."""
        if after is None or after == before:
            return None
        event_id = self._ctx.event.id
        told = history.noted(before, after, event_id=event_id, actor=self._actor)
        return told.model_copy(update={"event_id": event_id})

    def _is_ours(self, state: GroupState) -> bool:
        """Whether this event changed it, now or in an earlier attempt: then it must be shown."""
        return state.event_id == self._ctx.event.id or any(self._lines(state))

    def _lines(self, state: GroupState) -> list[Line]:
        return [line for line in state.history if line.event_id == self._ctx.event.id]

    def show(self, key: str, group: AlertGroup | None = None) -> None:
        """Show until what is shown is what is kept: whoever shows last, shows the newest."""
        state, version = memory.load(self._ctx, key)
        shown = 0
        while state is not None and version != shown:
            ref = self._ctx.step(
                f"show-{key[:12]}-{version}",
                self._ctx.chat.upsert,
                channel=state.channel,
                key=state.message_key,
                message=messages.group(state, self._config),
            )
            self._tell(state, ref, group)
            shown = version
            state, version = memory.load(self._ctx, key)

    def _tell(self, state: GroupState, ref: MessageRef, group: AlertGroup | None) -> None:
        for line in self._lines(state):
            if line.kind == "csv":
                self._attach(state, ref, group)
            else:
                self._step(
                    f"line-{state.key[:12]}-{state.episode}-{line.seq}",
                    self._ctx.chat.post,
                    channel=state.channel,
                    message=messages.line(state, line, self._config),
                    thread=ref,
                )

    def _attach(self, state: GroupState, ref: MessageRef, group: AlertGroup | None) -> None:
        """All alerts of a group that is too large to list."""
        if group is None:
            return
        self._step(
            f"csv-{state.key[:12]}-{state.episode}",
            self._ctx.chat.upload,
            channel=state.channel,
            filename=f"alerts-{state.key[:8]}.csv",
            content=table.csv_of(group),
            title=f"All alerts of {state.card.title}",
            thread=ref,
        )

    def _step(self, name: str, call: Any, **arguments: Any) -> None:
        self._ctx.step(name, call, **arguments)

    def reconcile(self, state: GroupState, truth: Truth) -> GroupState | None:
        """Make the message equal to what Alertmanager holds."""
        live = truth.group(state.key)
        if truth.groups is None or not state.confirmed:
            return state
        return self.change(
            state.key,
            lambda known: policy.reconciled(
                known,
                live,
                now=self._ctx.now(),
                shown=self._config.shown_alerts,
                event_id=self._ctx.event.id,
                silences=truth.silences,
            ),
            group=live,
        )

    def relay(self, delivered: AlertGroup, truth: Truth) -> GroupState | None:
        """Take in a notification, corrected by what Alertmanager holds."""
        group, confirmed = policy.current(delivered, truth.groups)
        route = self._config.route_for({**group.common_labels, **group.group_labels})

        def apply(known: GroupState | None) -> GroupState | None:
            after = policy.advance(
                known,
                group,
                now=self._ctx.now(),
                channel=route.channel or self._config.channel,
                shown=self._config.shown_alerts,
                confirmed=confirmed,
                reopen=timedelta(minutes=self._config.reopen_minutes),
                event_id=self._ctx.event.id,
                silences=truth.silences,
                escalate_after=self._config.escalates_after(route),
            )
            return _with_csv(known, after, group, self._config.csv_from_alerts)

        return self.change(delivered.key, apply, group=group)


def _with_csv(
    known: GroupState | None, after: GroupState | None, group: AlertGroup, most: int
) -> GroupState | None:
    """A group that grows beyond what a message can list has its alerts in a file, once an episode."""
    if after is None or len(group.alerts) < most or after == known:
        return after
    has_it = known is not None and known.episode == after.episode and known.has_csv
    if has_it:
        return after
    return history.with_line(after.model_copy(update={"has_csv": True}), "csv")
