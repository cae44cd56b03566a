"""One run's work on alert groups: change the state, show it, tell the thread what changed."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property, partial
from typing import Any

from bot.plugin import AlertGroup, Context, MessageRef, Transient
from plugins.alert_relay import calendar, facts, history, memory, messages, metrics, policy, table, ticketing
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.graph import handlers as graph
from plugins.alert_relay.holding import holds, summary
from plugins.alert_relay.incidents import incident as incidents
from plugins.alert_relay.incidents import ledger
from plugins.alert_relay.mitigation import offers
from plugins.alert_relay.routing.maintenance import Maintenance, covering
from plugins.alert_relay.routing.routes import Route
from plugins.alert_relay.state import GroupState, Line, Others
from plugins.alert_relay.truth import Truth

_LOUD = {"escalated", "ending", "mitigation", "mitigation_call"}


class Desk:
    """Args:
    actor: who asked for it; empty for the clock and Alertmanager.
    """

    def __init__(self, config: AlertRelayConfig, ctx: Context, actor: str = "") -> None:
        self._config = config
        self._ctx = ctx
        self._actor = actor

    @cached_property
    def _windows(self) -> tuple[Maintenance, ...]:
        return calendar.windows(self._config, self._ctx)

    @cached_property
    def _sources(self) -> frozenset[str]:
        return memory.sources(self._ctx)

    def change(self, key: str, apply: memory.Change, *, group: AlertGroup | None = None) -> GroupState | None:
        """Note what happened, keep the new state, show it: in this order, so that a retry loses nothing."""
        apply = offers.following(apply, group, self._config.mitigations)
        self._note(key, apply)
        state = memory.change(self._ctx, key, lambda known: self._signed(known, apply(known)))
        if state is None or not self._is_ours(state):
            return state
        self._follow(state)
        if not state.slowed:
            self.show(key, group)
        shown, _ = memory.load(self._ctx, key)
        if shown is not None and not shown.slowed:
            graph.ask(self._ctx, shown)
        return shown

    def _note(self, key: str, apply: memory.Change) -> None:
        """Write down what the change means, for figures and timelines, and tell the ticket."""
        before, _ = memory.load(self._ctx, key)
        after = apply(before)
        if after is None:
            return
        for fact in facts.between(before, after):
            ticketing.tell(self._ctx, after, fact)
            if memory.note_once(self._ctx, fact, key, facts.data(fact, after)):
                late = self._ctx.now() - facts.began(after)
                metrics.observe(fact, after, late.total_seconds())

    def _signed(self, before: GroupState | None, after: GroupState | None) -> GroupState | None:
        """A changed state with its lines and the event that changed it; None when nothing did."""
        if after is None or after == before:
            return None
        event_id, now = self._ctx.event.id, self._ctx.now()
        told = history.noted(before, after, event_id=event_id, actor=self._actor)
        slowed = not self._actor and history.is_slowed(told, now) and not self._is_urgent(told)
        shown = {"slowed": slowed, "shown_at": told.shown_at if slowed else now}
        return told.model_copy(update={"event_id": event_id, **shown})

    def _is_urgent(self, state: GroupState) -> bool:
        return any(line.kind in _LOUD for line in self._lines(state))

    def _is_ours(self, state: GroupState) -> bool:
        """Whether this event changed it, now or in an earlier attempt: then it must be shown."""
        return state.event_id == self._ctx.event.id or any(self._lines(state))

    def _lines(self, state: GroupState) -> list[Line]:
        return [line for line in state.history if line.event_id == self._ctx.event.id]

    # -- the incident ------------------------------------------------------------------------------

    def _follow(self, state: GroupState) -> None:
        """Keep the group's incident up with it, and the incident's line with the incident."""
        incident, changed = ledger.follow(self._ctx, state, self._config)
        if state.incident != incident.id:
            memory.change(
                self._ctx,
                state.key,
                lambda known: known and known.model_copy(update={"incident": incident.id}),
            )
        if changed and not state.held:
            self.refresh_lines(incident, but=state.key)

    def refresh_lines(self, incident: incidents.Incident, *, but: str = "") -> None:
        """Show on the incident's line in each channel what the other groups do."""
        for channel, line in incident.lines.items():
            others = incidents.others(incident, channel)
            apply = partial(_with_others, others=others, incident_id=incident.id)
            changed = memory.change(self._ctx, line.key, apply)
            if changed is not None and line.key != but and changed.ref is not None:
                self.show(line.key)

    def _placed(self, state: GroupState) -> GroupState:
        """Where a group's first message goes: it is its incident's line, or it goes under that."""
        if state.ref is not None or state.thread is not None or not state.incident:
            return state
        place = ledger.place(self._ctx, state)
        if place is None or place.is_mine:
            if place is not None and place.before:
                self._take_over(state, place.before)
            return state
        if place.line.ref is None:
            raise Transient(f"The message of {state.incident} is being posted.", retry_after=1.0)
        return state.model_copy(update={"thread": place.line.ref})

    def _take_over(self, state: GroupState, before: str) -> None:
        """The line that was speaks for itself again."""
        alone = memory.change(
            self._ctx, before, lambda known: known and known.model_copy(update={"others": Others()})
        )
        if alone is not None and alone.ref is not None:
            self.show(before)
        incident = ledger.Ledger(self._ctx.documents).get(state.incident)
        if incident is not None:
            self.refresh_lines(incident, but=state.key)

    # -- showing -----------------------------------------------------------------------------------

    def show(self, key: str, group: AlertGroup | None = None) -> None:
        """Show until what is shown is what is kept: whoever shows last, shows the newest."""
        state, version = memory.load(self._ctx, key)
        shown = 0
        while state is not None and version != shown and not state.held:
            state = self._placed(state)
            ref: MessageRef = self._ctx.step(
                f"show-{key[:12]}-{version - 1 if state.placed == version else version}",
                self._ctx.chat.upsert,
                channel=state.channel,
                key=state.message_key,
                message=messages.group(state, self._config),
                thread=state.thread,
            )
            self._tell(state, ref, group)
            shown = self._noted_place(state, version, ref)
            state, version = memory.load(self._ctx, key)

    def _noted_place(self, state: GroupState, version: int, ref: MessageRef) -> int:
        """Keep where the message stands; the version that is shown now."""
        place = MessageRef(channel=ref.channel, ts=ref.ts)
        if state.thread is None and state.incident:
            ledger.note_line(self._ctx, state, place)
        if state.ref == place:
            return version
        kept = memory.note_place(self._ctx, state.model_copy(update={"ref": place}), version)
        return version + 1 if kept else version

    def _tell(self, state: GroupState, ref: MessageRef, group: AlertGroup | None) -> None:
        """What changed, as replies; a message in a thread has no thread of its own."""
        for line in self._lines(state):
            if line.kind == "csv":
                self._attach(state, state.thread or ref, group)
            else:
                self._step(
                    f"line-{state.key[:12]}-{state.episode}-{line.seq}",
                    self._ctx.chat.post,
                    channel=state.channel,
                    message=messages.line(state, line, self._config),
                    thread=state.thread or ref,
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

    # -- what Alertmanager says --------------------------------------------------------------------

    def reconcile(self, state: GroupState, truth: Truth) -> GroupState | None:
        """Make the message equal to what Alertmanager holds."""
        live = truth.group(state.key)

        def apply(known: GroupState | None) -> GroupState | None:
            found = self._reconciled(known, live, truth) if truth.groups is not None else None
            return self._scheduled(known, found)

        if apply(state) in (None, state) and not self._is_ours(state):
            return state
        return self.change(state.key, apply, group=live)

    def _reconciled(
        self, known: GroupState | None, live: AlertGroup | None, truth: Truth
    ) -> GroupState | None:
        return policy.reconciled(
            known,
            live,
            now=self._ctx.now(),
            shown=self._config.shown_alerts,
            event_id=self._ctx.event.id,
            silences=truth.silences,
            sources=self._sources,
        )

    def relay(self, delivered: AlertGroup, truth: Truth) -> GroupState | None:
        """Take in a notification, corrected by what Alertmanager holds."""
        group, confirmed = policy.current(delivered, truth.groups)
        if confirmed:
            memory.note_source(self._ctx, delivered.external_url)
        route = self._config.route_for({**group.common_labels, **group.group_labels})
        reopen = timedelta(minutes=self._config.reopen_minutes)
        admission = self._admitted(group, route, reopen)

        def apply(known: GroupState | None) -> GroupState | None:
            after = policy.advance(
                known,
                group,
                now=self._ctx.now(),
                channel=route.channel or self._config.channel,
                shown=self._config.shown_alerts,
                confirmed=confirmed,
                reopen=reopen,
                event_id=self._ctx.event.id,
                silences=truth.silences,
                escalate_after=self._config.escalates_after(route),
            )
            after = _held_by(known, after, admission.hold)
            return self._scheduled(known, _with_csv(known, after, group, self._config.csv_from_alerts))

        state = self.change(delivered.key, apply, group=group)
        if admission.hold is not None and admission.show:
            summary.show(self._ctx, admission.hold, summary.read(self._ctx, admission.hold), over=False)
        return state

    def _admitted(self, group: AlertGroup, route: Route, reopen: timedelta) -> holds.Admission:
        """Whether a group that begins has to wait for its message."""
        known, _ = memory.load(self._ctx, group.key)
        if not policy.opens(known, group, self._ctx.now(), reopen):
            return holds.Admission(None)
        quiet = self._config.quiet_for(route)
        worst = policy.severity_of(group)
        until = quiet.until(worst, self._ctx.now()) if quiet and quiet.mode == "hold" else None
        channel = route.channel or self._config.channel
        limit = self._config.storm_groups
        return holds.admit(self._ctx, channel, group.key, limit=limit, quiet_until=until)

    def release(self, key: str) -> None:
        """Give a group that waited its message."""
        state = self.change(key, lambda known: known and known.model_copy(update={"held": ""}))
        incident = ledger.Ledger(self._ctx.documents).get(state.incident) if state else None
        if incident is not None:
            self.refresh_lines(incident, but=key)

    def catch_up(self, key: str) -> None:
        """Show what a flapping group's message kept back."""
        self.change(key, lambda known: known and known.model_copy(update={"slowed": False}))

    def _scheduled(self, known: GroupState | None, after: GroupState | None) -> GroupState | None:
        """The state by the maintenance windows that are open now."""
        state = after or known
        if state is None:
            return after
        labels, now = {**state.routing, **state.labels}, self._ctx.now()
        planned = covering(self._windows, labels, now) if state.status == "firing" else None
        if planned == state.maintenance:
            return after
        return calendar.with_window(state, planned, now, self._escalates_after(state))

    def _escalates_after(self, state: GroupState) -> timedelta | None:
        return self._config.escalates_after(self._config.route_for({**state.routing, **state.labels}))


def _held_by(
    known: GroupState | None, after: GroupState | None, hold: holds.Hold | None
) -> GroupState | None:
    """Only a group that begins waits: what has a message keeps it up to date."""
    begins = after is not None and (known is None or known.episode != after.episode)
    return after.model_copy(update={"held": hold.id}) if after and hold and begins else after


def _with_others(known: GroupState | None, *, others: Others, incident_id: str) -> GroupState | None:
    if known is None or known.incident not in {"", incident_id}:
        return known
    return known.model_copy(update={"others": others, "incident": incident_id})


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
