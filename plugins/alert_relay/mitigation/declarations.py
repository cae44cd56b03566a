"""What an operator declares: the mitigations, their limits, and what holds for all of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from bot.core.zones import Zone
from plugins.alert_relay.mitigation import templates

Comparator = Literal["<", "<=", ">", ">=", "==", "!="]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as exc:
        raise ValueError(f"{text!r} is not a regular expression: {exc}. Example: 'web-[0-9]+'") from exc
    return text


def _template(value: Any) -> Any:
    templates.check(value)
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]
Template = Annotated[str, AfterValidator(_template)]
Permission = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+$")]


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Hours(_Declared):
    """Times of the week."""

    days: tuple[Day, ...] = Field(_DAYS[:5], description="Days on which it counts.")
    start: time = Field(time(9), description="From this time of the day.")
    end: time = Field(time(17), description="Until this time of the day.")
    zone: Zone = Field("UTC", description="Time zone of both (IANA name).")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.end:
            raise ValueError("start must be before end; for a night, declare two entries")
        return self

    def holds(self, at: datetime) -> bool:
        local = at.astimezone(ZoneInfo(self.zone))
        return _DAYS[local.weekday()] in self.days and self.start <= local.time() < self.end


class Freeze(_Declared):
    """A period in which nothing is run."""

    start: AwareDatetime = Field(description="When it begins.")
    end: AwareDatetime = Field(description="When it ends.")
    reason: str = Field("a change freeze", description="Said to whoever is refused.")
    services: tuple[str, ...] = Field((), description="Only these services; empty: all.")

    def holds(self, at: datetime, service: str) -> bool:
        return self.start <= at < self.end and (not self.services or service in self.services)


class Limits(_Declared):
    """How much of one mitigation there may be. Attempts count, not successes."""

    per_service: int = Field(1, ge=1, description="Runs that may be open for one service at a time.")
    cooldown: float = Field(600, ge=0, description="Seconds until the same target may be acted on again.")
    per_hour: int = Field(6, ge=1, description="Attempts within an hour.")
    targets: int = Field(3, ge=1, description="Targets of one run at most.")
    share: float = Field(0.5, gt=0, le=1, description="Of the service's healthy members, this part at most.")
    errors: float = Field(
        0.0, ge=0, lt=1, description="Part of the targets that may fail before the rest is left alone."
    )


class Harm(_Declared):
    """A metric that must not get worse while we help, e.g. the error rate of the neighbours."""

    query: Template = Field(description="PromQL; labels may stand in it as {{ labels.name }}.")
    growth: float = Field(0.5, ge=0, description="Growth over the value before; 0.5 is by half.")
    above: float = Field(0.0, ge=0, description="Values up to this one never count as harm.")


class Verification(_Declared):
    """What shows that it worked: `query` `comparator` `threshold`, without a break for `hold` seconds."""

    query: Template = Field(description="PromQL; labels may stand in it as {{ labels.name }}.")
    comparator: Comparator = Field("<", description="How values compare to the threshold when all is well.")
    threshold: float = Field(description="The value to compare with.")
    settle: float = Field(30, ge=0, description="Seconds after the run that are not looked at.")
    window: float = Field(300, gt=0, description="Seconds after that in which it must recover.")
    hold: float = Field(60, ge=0, description="Seconds that the goal must be met without a break.")
    step: float = Field(15, gt=0, description="Seconds between two values that are looked at.")
    harm: Harm | None = Field(None, description="A metric that must not get worse.")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.hold > self.window:
            raise ValueError("hold must not be longer than window: it could never be met")
        return self

    def met(self, value: float) -> bool:
        match self.comparator:
            case "<":
                return value < self.threshold
            case "<=":
                return value <= self.threshold
            case ">":
                return value > self.threshold
            case ">=":
                return value >= self.threshold
            case "==":
                return value == self.threshold
            case "!=":
                return value != self.threshold

    @property
    def goal(self) -> str:
        return f"{self.comparator} {self.threshold:g}"


class Auto(_Declared):
    """Runs without a person, under stricter limits. Starts paused: a person turns it on."""

    after: float = Field(60, ge=0, description="Seconds that the alert must have fired.")
    hours: Hours | None = Field(Hours(), description="Only at these times; business hours by default.")
    targets: int = Field(1, ge=1, description="Targets of one run at most.")
    per_hour: int = Field(2, ge=1, description="Runs within an hour.")
    failures: int = Field(
        2, ge=1, description="After so many runs without recovery, no more for that target."
    )
    runs: int = Field(4, ge=1, description="After so many runs, no more for that target.")
    within: float = Field(86400, gt=0, description="Seconds in which failures and runs count.")


class Tier(_Declared):
    """What is different in one environment."""

    permission: Permission | None = Field(None, description="Instead of the mitigation's.")
    approvals: int | None = Field(None, ge=0, le=3, description="Instead of the mitigation's.")
    approver: Permission | None = Field(None, description="Instead of the mitigation's.")


class Mitigation(_Declared):
    """One lever."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{1,39}$", description="Its name in commands and records.")
    title: str = Field(min_length=1, max_length=60, description="What stands on the button.")
    match: dict[str, str] = Field(default_factory=dict, description="Labels and the values they must have.")
    match_re: dict[str, Pattern] = Field(
        default_factory=dict, description="Labels and regular expressions that their whole values must match."
    )
    executor: str = Field(description="Name of an installed executor, e.g. kubernetes.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="The executor's parameters.")
    permission: Permission = Field("mitigation.run", description="Needed to run it.")
    approvals: int = Field(0, ge=0, le=3, description="Further people who must agree.")
    approver: Permission = Field("mitigation.approve", description="Needed to agree or to reject.")
    environment: str = Field("", description="Label that names the environment.")
    environments: dict[str, Tier] = Field(
        default_factory=dict, description="What is different by environment; one that is missing is refused."
    )
    service: str = Field("service", description="Label that names the service.")
    confirm: str = Field("", max_length=1000, description="A sentence for the dialog.")
    allow: tuple[str, ...] = Field(
        (), description="Targets that may be acted on, with * as a wildcard; empty: those of the labels."
    )
    deny: tuple[str, ...] = Field((), description="Targets that are never acted on; wins over allow.")
    limits: Limits = Field(default_factory=Limits, description="How much of it there may be.")
    hours: Hours | None = Field(None, description="Only at these times; empty: always.")
    timeout: float = Field(300, gt=0, description="Seconds until a run without an answer is unknown.")
    verify: Verification | None = Field(None, description="What shows that it worked.")
    inverse: bool = Field(default=True, description="Undo what did not help, where the executor can.")
    auto: Auto | None = Field(None, description="May run without a person, once somebody turned it on.")
    follows: str = Field(
        "",
        description="Name of the mitigation that is tried first; by itself, this one runs only when that "
        "one did not help.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        templates.check(self.parameters)
        if not (self.match or self.match_re):
            raise ValueError('say which alerts it is for. Example: match = { alertname = "HighErrorRate" }')
        if self.environments and not self.environment:
            raise ValueError('name the label of the environment. Example: environment = "env"')
        if self.auto is not None and self.verify is None:
            raise ValueError("auto needs verify: what nobody watches must be checked")
        return self

    def fits(self, labels: Mapping[str, str]) -> bool:
        equal = all(labels.get(name, "") == value for name, value in self.match.items())
        return equal and all(re.fullmatch(p, labels.get(name, "")) for name, p in self.match_re.items())

    def tier(self, environment: str) -> Tier | None:
        """Who may and who agrees in an environment; None where it is not declared."""
        own = Tier(permission=self.permission, approvals=self.approvals, approver=self.approver)
        if not self.environments:
            return own
        found = self.environments.get(environment)
        return found and own.model_copy(update=found.model_dump(exclude_none=True))

    @property
    def version(self) -> str:
        """A hash of the declaration: what was approved is bound to it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


class MitigationPolicy(_Declared):
    """[plugins.alert-relay.mitigation]: what holds for all mitigations."""

    observe_only: bool = Field(
        default=False, description="Go through everything, run nothing, and say what would be run."
    )
    per_hour: int = Field(20, ge=1, description="Attempts of all mitigations within an hour; then it stops.")
    per_service_hour: int = Field(10, ge=1, description="Attempts for one service within an hour.")
    confirm_minutes: float = Field(10, gt=0, le=60, description="How long a dialog may be confirmed.")
    approve_minutes: float = Field(10, gt=0, le=60, description="How long a request waits for approval.")
    answer_minutes: float = Field(
        30, gt=0, description="How long a run of unknown outcome waits for a person before it is escalated."
    )
    freezes: tuple[Freeze, ...] = Field((), description="Periods in which nothing is run.")
    deny: tuple[str, ...] = Field((), description="Targets that no mitigation ever acts on.")

    @property
    def confirm_within(self) -> timedelta:
        return timedelta(minutes=self.confirm_minutes)

    @property
    def approve_within(self) -> timedelta:
        return timedelta(minutes=self.approve_minutes)

    @property
    def answer_within(self) -> timedelta:
        return timedelta(minutes=self.answer_minutes)


class Rules(_Declared):
    """Everything that was declared."""

    mitigations: tuple[Mitigation, ...] = ()
    policy: MitigationPolicy = MitigationPolicy()

    def get(self, name: str) -> Mitigation | None:
        return next((found for found in self.mitigations if found.name == name), None)

    def following(self, name: str) -> tuple[Mitigation, ...]:
        """Those whose turn comes when this one did not help."""
        return tuple(found for found in self.mitigations if found.follows == name)


def unique(mitigations: tuple[Mitigation, ...]) -> tuple[Mitigation, ...]:
    names = [found.name for found in mitigations]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two mitigations are named {twice[0]!r}; give each a name of its own")
    return mitigations


def in_turn(mitigations: tuple[Mitigation, ...]) -> tuple[Mitigation, ...]:
    """Each follows one that is declared, and none itself in the end."""
    before = {found.name: found.follows for found in mitigations}
    for found in mitigations:
        if found.follows and found.follows not in before:
            raise ValueError(
                f"{found.name!r} follows {found.follows!r}, which is not declared. "
                "Declare it, or correct follows"
            )
        seen, name = {found.name}, found.follows
        while name:
            if name in seen:
                raise ValueError(
                    f"{found.name!r} follows itself in the end; leave one of them without follows"
                )
            seen.add(name)
            name = before[name]
    return mitigations
