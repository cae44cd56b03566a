"""Mitigation by a silence: for alerts that need quiet while something else heals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, Literal, cast

from pydantic import Field

from bot.core.errors import Refused
from bot.core.events import Alert
from bot.core.executors import Outcome, Parameters, Plan
from bot.core.integration import Services
from bot.core.ports import Alerts, Matcher, Silence

AUTHOR = "signalbox"


class SilenceParameters(Parameters):
    labels: Mapping[str, str] = Field(min_length=1, description="Labels that alerts must have, all of them.")
    minutes: float = Field(60, gt=0, le=7 * 24 * 60, description="How long.")
    action: Literal["silence", "expire"] = Field("silence", description="expire: end what this has begun.")

    @property
    def matchers(self) -> tuple[Matcher, ...]:
        return tuple(Matcher(name=name, value=value) for name, value in sorted(self.labels.items()))


class Silences:
    name: ClassVar[str] = "alertmanager"
    Parameters: ClassVar[type[Parameters]] = SilenceParameters
    target_kind: ClassVar[str] = "alerts"
    repeatable: ClassVar[bool] = False

    def __init__(self, services: Services) -> None:
        self._services = services

    @property
    def _alerts(self) -> Alerts:
        return cast(Alerts, self._services.port("alerts"))

    def plan(self, parameters: SilenceParameters, *, timeout: float) -> Plan:
        del timeout  # the port has its own
        _check(parameters)
        muted = self._fitting(parameters)
        services = {alert.labels.get("service", "") for alert in muted} - {""}
        shown = ", ".join(f"{name}={value}" for name, value in sorted(parameters.labels.items()))
        done = "muted" if parameters.action == "silence" else "no longer muted"
        span = f" for {parameters.minutes:g} min" if parameters.action == "silence" else ""
        return Plan(
            targets=(f"alerts/{shown}",),
            effect=f"{len(muted)} alerts of {len(services)} services with {shown} will be {done}{span}.",
        )

    def run(self, parameters: SilenceParameters, *, key: str, timeout: float) -> Outcome:
        del timeout
        _check(parameters)
        if parameters.action == "expire":
            ended = [s for s in self._own(parameters) if self._expire(s, key)]
            return Outcome(detail=f"{len(ended)} silences were ended.")
        made = self._alerts.silence(
            matchers=parameters.matchers,
            ends_at=self._services.clock() + timedelta(minutes=parameters.minutes),
            created_by=AUTHOR,
            comment="By a mitigation",
            step_key=key,
        )
        return Outcome(detail=f"Silence {made.id} was made.")

    def state(self, parameters: SilenceParameters, *, key: str, timeout: float) -> Outcome:
        """A silence's comment ends with the key of the run that made it."""
        del timeout
        if parameters.action == "expire":
            return Outcome(progress="absent" if self._own(parameters) else "done")
        found = any(silence.comment.endswith(f"[{key}]") for silence in self._alerts.silences())
        return Outcome(progress="done" if found else "absent")

    def inverse(self, parameters: SilenceParameters, plan: Plan) -> SilenceParameters | None:
        del plan
        back: Literal["silence", "expire"] = "expire" if parameters.action == "silence" else "silence"
        return parameters.model_copy(update={"action": back})

    def _fitting(self, parameters: SilenceParameters) -> list[Alert]:
        firing = [alert for group in self._alerts.groups() for alert in group.firing()]
        unique = {alert.fingerprint: alert for alert in firing}
        return [a for a in unique.values() if all(m.fits(a.labels) for m in parameters.matchers)]

    def _own(self, parameters: SilenceParameters) -> list[Silence]:
        wanted = set(parameters.matchers)
        found = [s for s in self._alerts.silences() if s.created_by == AUTHOR and s.state != "expired"]
        return [silence for silence in found if set(silence.matchers) == wanted]

    def _expire(self, silence: Silence, key: str) -> bool:
        self._alerts.expire(silence_id=silence.id, step_key=key)
        return True


def _check(parameters: SilenceParameters) -> None:
    if not all(parameters.labels.values()):
        raise Refused(
            "A label without a value would mute whatever lacks it; nothing was silenced.", check="registered"
        )


def connect(services: Services) -> Silences:
    return Silences(services)
