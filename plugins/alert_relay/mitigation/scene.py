"""What the steps of a run share: who asks, what is declared, where it is kept and shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from bot.core.errors import ConfigError, SignalboxError
from bot.plugin import AlertGroup, Context, Health, Message, Permanent, Refused, Transient
from plugins.alert_relay import history, memory, truth
from plugins.alert_relay.mitigation import actuator, switch, telling, templates, verification
from plugins.alert_relay.mitigation.actuator import Actuator
from plugins.alert_relay.mitigation.declarations import Mitigation, Rules, Verification
from plugins.alert_relay.mitigation.guardrails import Case, Facts, Stage
from plugins.alert_relay.mitigation.ledger import Ledger
from plugins.alert_relay.mitigation.runs import AUTO, Part, Proposal, Reading, Run, Status
from plugins.alert_relay.mitigation.switch import Switch
from plugins.alert_relay.state import GroupState

DUE = "mitigation.due"
AUTO_DUE = "mitigation.auto"
TELL = "mitigation.tell"
_SHARE = 0.6
_DRY_RUN_SECONDS = 10.0
_AGAIN_SECONDS = 9.0
"""A run that is looked at every tick is enqueued for each of them, and once for a burst."""


class Board(Protocol):
    """Where alert groups are kept and shown."""

    def change(self, key: str, apply: memory.Change) -> GroupState | None: ...


@dataclass(frozen=True)
class Scene:
    """Args:
    oncall: the id of the person or user group that is called about a group; empty for nobody.
    """

    ctx: Context
    rules: Rules
    board: Board
    oncall: Callable[[GroupState], str]

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.ctx, self.rules)

    def declared(self, name: str) -> Mitigation:
        found = self.rules.get(name)
        if found is None:
            raise Refused(
                f"No mitigation is declared as {name!r}; nothing was run. See [[mitigations]].",
                check="registered",
            )
        return found

    def health(self) -> Health:
        """Whether every mitigation could run: its executor is installed, and nothing is stopped."""
        try:
            missing = sorted({m.executor for m in self.rules.mitigations} - set(self.ctx.executors))
        except ConfigError as exc:
            return Health(status="degraded", detail=str(exc))
        if missing:
            words = f"Mitigations name the executor {missing[0]!r}, which is not installed."
            return Health(status="degraded", detail=f"{words} Install it, or correct [[mitigations]].")
        held = self.switch() if self.rules.mitigations else Switch("run")
        if held.mode != "run":
            return Health(
                status="degraded", detail=f"Mitigations: {held.mode} ({held.reason}). {held.remedy}"
            )
        return Health()

    # -- what is so now ----------------------------------------------------------------------------

    def switch(self) -> Switch:
        return switch.present(self.ctx, observe_only=self.rules.policy.observe_only)

    def live(self, group: str) -> AlertGroup | None:
        """The group as Alertmanager lists it; None when it lists none such.

        While Alertmanager is away nobody takes that for a yes: the person is told, and what was asked for
        waits and is tried again until it runs out.
        """
        try:
            return truth.Truth(self.ctx.alerts.groups(), None).group(group)
        except Transient as exc:
            self._say_waiting(exc)
            raise
        except Permanent as exc:
            raise Refused(
                f"{exc} So nobody can say whether the alert still fires; nothing was run.",
                check="still-firing",
            ) from exc

    def _say_waiting(self, why: Transient) -> None:
        if self.ctx.reply_to is None:
            return
        text = f":hourglass: {why} Nothing is run until it says that the alert still fires; I keep asking."
        self.ctx.step(
            "say-waiting",
            self.ctx.chat.reply,
            to=self.ctx.reply_to,
            message=Message(text=text),
            public=False,
        )

    def firing(self, group: str) -> frozenset[str]:
        """Fingerprints that fire."""
        found = self.live(group)
        return frozenset(alert.fingerprint for alert in found.firing()) if found else frozenset()

    def facts(self, case: Case, firing: frozenset[str]) -> Facts:
        """What can be known before the transaction; the ledger adds the rest inside of it."""
        needed = case.tier.approver if case.stage == "approve" else case.tier.permission
        permitted = case.actor == AUTO or self.ctx.permissions.allowed(case.actor, needed)
        return Facts(
            now=self.ctx.now(),
            switch=Switch("stop", "the switch was not read"),
            firing=firing,
            permitted=permitted,
            executors=frozenset(self.ctx.executors),
        )

    def case(
        self, stage: Stage, proposal: Proposal, actor: str, run: Run | None = None, binding: str = ""
    ) -> Case:
        return Case(self.rules, stage, proposal, actor, run, binding)

    @contextmanager
    def refusals_noted(self, case: Case) -> Iterator[None]:
        """What a guardrail refuses is audited with its name; too many attempts trip the breaker."""
        try:
            yield
        except Refused as exc:
            if exc.check == "rate":
                self._trip(case.proposal.group)
            if case.actor != AUTO or case.stage == "start":  # before that, it asks every minute
                self.ledger.note_refusal(case, exc)
            raise

    def _trip(self, group: str) -> None:
        """So many attempts are a sign of something else being wrong: from here on, only observe, and call."""
        if self.switch().mode != "run" or self.ledger.attempts_in_hour() < self.rules.policy.per_hour:
            return
        self.ledger.set_switch("observe", "the circuit breaker", "too many attempts within an hour")
        text = ":rotating_light: Mitigations only observe from here on: too many attempts within an hour"

        def apply(known: GroupState | None) -> GroupState | None:
            if known is None:
                return None
            told = history.with_line(known, "mitigation", text=text)
            target = self.oncall(known)
            called = "what makes so many mitigations necessary"
            return history.with_line(told, "mitigation_call", by=target, text=called) if target else told

        self.board.change(group, apply)

    # -- acting and measuring ----------------------------------------------------------------------

    def call_seconds(self, mitigation: Mitigation) -> float:
        """For one call of an executor: well below what a worker is given for a handler."""
        return min(mitigation.timeout, self.ctx.settings.workers.soft_time_limit * _SHARE)

    def dry_run_seconds(self, mitigation: Mitigation) -> float:
        return min(_DRY_RUN_SECONDS, self.call_seconds(mitigation))

    def actuator(self, mitigation: Mitigation, part: Part) -> Actuator:
        executor = actuator.find(self.ctx.executors, mitigation.executor)
        return Actuator(executor, part.parameters, self.call_seconds(mitigation))

    def query(self, mitigation: Mitigation, proposal: Proposal) -> Verification | None:
        """The verification with the alert's labels in its queries."""
        spec = mitigation.verify
        if spec is None:
            return None
        query = str(templates.fill(spec.query, proposal.labels, "The verification"))
        harm = spec.harm
        if harm is not None:
            filled = str(templates.fill(harm.query, proposal.labels, "The harm metric"))
            harm = harm.model_copy(update={"query": filled})
        return spec.model_copy(update={"query": query, "harm": harm})

    def reading(self, spec: Verification | None) -> Reading:
        """The metrics now; what can't be had is no data."""
        if spec is None:
            return Reading()
        goal = verification.worst(spec, self._values(spec.query))
        harm = max(self._values(spec.harm.query), default=None) if spec.harm else None
        return Reading(goal=goal, harm=harm)

    def _values(self, query: str) -> list[float]:
        try:
            found = self.ctx.metrics.query(query)
        except SignalboxError as exc:
            self.ctx.log.warning("metric.not_read", error=str(exc))
            return []
        return [sample.value for sample in found if math.isfinite(sample.value)]

    # -- moving ------------------------------------------------------------------------------------

    def is_over(self, run: Run) -> bool:
        """Whether the time is over that the run may wait in its status."""
        return run.wait_until is not None and self.ctx.now() > run.wait_until

    def to(self, run: Run, status: Status, text: str, **changes: Any) -> Run:
        """The run in its next status, stored."""
        return self.ledger.move(run, run.moved(status, self.ctx.now(), text=text, **changes))

    # -- telling -----------------------------------------------------------------------------------

    def tell(self, run: Run) -> None:
        """Bring message and thread up to the run's present state; what was told is not told again."""

        def apply(known: GroupState | None) -> GroupState | None:
            return telling.shown(known, run, self.oncall(known) if known else "")

        self.board.change(run.proposal.group, apply)

    def tell_soon(self, run: Run) -> None:
        """Have it told by another worker: a chat that is slow or away must not hold up what is done."""
        self.ctx.emit(
            TELL,
            {"run": run.id},
            subject=run.proposal.group,
            serial=f"mitigation-told:{run.id}",
            once=f"{run.id}:{run.revision}",
        )

    def hurry(self, run: Run) -> None:
        """Have the run looked at now, by a worker that does nothing else meanwhile."""
        self.ctx.emit(
            DUE,
            {"run": run.id},
            subject=run.proposal.group,
            serial=f"mitigation:{run.id}",
            once=f"{run.id}:{run.revision}",
            within=_AGAIN_SECONDS,
        )
