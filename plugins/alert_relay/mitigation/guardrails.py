"""The guardrails: who says no to a mitigation, by name. Policies apart from actions, and pure.

Each looks at a case and at facts that were read in one transaction with the claim that follows. It returns a
sentence (what, why, what to do next) to refuse, or None. The other guardrails are no questions but ways of
acting; docs/mitigation.md lists all twenty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Literal

from bot.plugin import Refused
from plugins.alert_relay.mitigation.declarations import Auto, Mitigation, Rules, Tier
from plugins.alert_relay.mitigation.runs import AUTO, Proposal, Run
from plugins.alert_relay.mitigation.switch import Switch

Stage = Literal["ask", "confirm", "approve", "start"]
EVERYWHERE: frozenset[Stage] = frozenset({"ask", "confirm", "approve", "start"})
ACTING: frozenset[Stage] = frozenset({"ask", "confirm", "start"})
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A run that was started, or ended without recovery."""

    mitigation: str
    service: str
    targets: tuple[str, ...]
    at: datetime
    auto: bool = False
    run: str = ""


@dataclass(frozen=True, slots=True)
class OpenRun:
    run: str
    mitigation: str
    service: str
    targets: tuple[str, ...]
    by: str = ""


@dataclass(frozen=True)
class Case:
    """What is asked: by whom, at which stage. `run` is None until it was confirmed."""

    rules: Rules
    stage: Stage
    proposal: Proposal
    actor: str
    run: Run | None = None
    binding: str = ""

    @property
    def mitigation(self) -> Mitigation | None:
        return self.rules.get(self.proposal.mitigation)

    @property
    def declared(self) -> Mitigation:
        found = self.mitigation
        if found is None:
            raise Refused(_undeclared(self.proposal.mitigation), check="registered")
        return found

    @property
    def tier(self) -> Tier:
        found = self.declared.tier(self.proposal.environment)
        if found is None:
            raise Refused(
                f"{self.declared.title!r} is not declared for the environment "
                f"{self.proposal.environment or 'of an alert without that label'!r}; nothing was run. "
                f"Add [mitigations.environments.NAME] if it should be.",
                check="permission",
            )
        return found

    @property
    def auto(self) -> Auto | None:
        """The stricter limits, when no person asks."""
        return self.declared.auto if self.proposal.by == AUTO else None


@dataclass(frozen=True)
class Facts:
    """What is so now. `firing` holds the fingerprints that Alertmanager lists as firing."""

    now: datetime
    switch: Switch
    firing: frozenset[str]
    permitted: bool
    executors: frozenset[str]
    open_runs: tuple[OpenRun, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    failures: tuple[Attempt, ...] = ()
    auto_on: Mapping[str, bool] = field(default_factory=dict)
    known_run: bool = False


@dataclass(frozen=True, slots=True)
class Guardrail:
    name: str
    stages: frozenset[Stage]
    check: Callable[[Case, Facts], str | None]


def enforce(case: Case, facts: Facts) -> None:
    """Ask all that apply; Refused with the first one's name and sentence."""
    for guardrail in GUARDRAILS:
        if case.stage in guardrail.stages and (words := guardrail.check(case, facts)):
            raise Refused(words, check=guardrail.name)


def _undeclared(name: str) -> str:
    return f"No mitigation is declared as {name!r} any more; nothing was run. See [[mitigations]]."


def _registered(case: Case, facts: Facts) -> str | None:
    found = case.mitigation
    if found is None:
        return _undeclared(case.proposal.mitigation)
    if found.executor not in facts.executors:
        known = ", ".join(sorted(facts.executors)) or "none"
        return (
            f"{found.title!r} needs the executor {found.executor!r}, which is not installed (there are: "
            f"{known}); nothing was run. Install it, or correct the mitigation."
        )
    return None


def _kill_switch(case: Case, facts: Facts) -> str | None:  # noqa: ARG001  # a guardrail's signature
    if facts.switch.mode != "stop":
        return None
    return f"Mitigations are stopped: {facts.switch.reason}. Nothing was run. {facts.switch.remedy}"


def _permission(case: Case, facts: Facts) -> str | None:
    needed = case.tier.approver if case.stage == "approve" else case.tier.permission
    if facts.permitted or (case.proposal.by == AUTO and case.stage != "approve"):
        return None
    verb = "decide about" if case.stage == "approve" else "run"
    return f"You may not {verb} {case.declared.title!r}: it needs the permission {needed!r}; nothing was run."


def _confirm(case: Case, facts: Facts) -> str | None:
    """What runs is what was shown: same action, parameters, targets and alert, and shown lately."""
    if case.binding and case.binding != case.proposal.binding:
        return "What you confirmed is not what would run any more; nothing was run. Press the button anew."
    if case.proposal.version != case.declared.version:
        return f"{case.declared.title!r} was declared anew meanwhile; nothing was run. Press the button anew."
    if case.stage == "confirm" and facts.now > case.proposal.expires_at:
        return (
            f"The dialog ran out at {case.proposal.expires_at:%H:%M} UTC; nothing was run. "
            "Press the button anew to see the present state."
        )
    return None


def _once(case: Case, facts: Facts) -> str | None:
    if case.stage == "confirm" and facts.known_run:
        return f"{case.declared.title!r} was confirmed with this dialog already; nothing was run twice."
    return None


def _second_person(case: Case, facts: Facts) -> str | None:
    run = case.run
    if case.stage == "approve":
        if case.actor == case.proposal.by:
            return "You asked for it yourself: somebody else has to agree. Nothing was run."
        if run is not None and case.actor in run.approved_by:
            return "You agreed already; another person has to agree as well. Nothing was run."
        if run is not None and run.wait_until is not None and facts.now > run.wait_until:
            return f"The request ran out at {run.wait_until:%H:%M} UTC; nothing was run. Ask for it anew."
        return None
    agreed = set(run.approved_by) - {case.proposal.by} if run is not None else set()
    if len(agreed) < (case.tier.approvals or 0):
        return f"{case.declared.title!r} needs {case.tier.approvals} approvals, {len(agreed)} are there."
    return None


def _dry_run(case: Case, facts: Facts) -> str | None:  # noqa: ARG001
    if case.proposal.parts and all(p.plan.targets and p.plan.effect for p in case.proposal.parts):
        return None
    return f"The dry run of {case.declared.title!r} found nothing to act on; nothing was run."


def _target(case: Case, facts: Facts) -> str | None:  # noqa: ARG001
    deny = (*case.declared.deny, *case.rules.policy.deny)
    for target in case.proposal.targets:
        if _matches(target, deny):
            return f"{target} is on the list of targets that are never acted on; nothing was run."
        if case.declared.allow and not _matches(target, case.declared.allow):
            return (
                f"{target} is not among the targets that {case.declared.title!r} may act on; nothing was run."
            )
    return None


def _matches(target: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(target, pattern) for pattern in patterns)


def _still_firing(case: Case, facts: Facts) -> str | None:
    if not any(set(part.alerts) & facts.firing for part in case.proposal.parts):
        return f"{case.proposal.title} does not fire any more; nothing was run."
    return None


def _concurrency(case: Case, facts: Facts) -> str | None:
    others = [run for run in facts.open_runs if run.run != case.proposal.id]
    wanted = set(case.proposal.targets)
    for other in others:
        if shared := sorted(wanted & set(other.targets)):
            return f"{shared[0]} is being acted on already ({other.mitigation}); nothing was run twice."
    same = [o for o in others if o.service == case.proposal.service and o.mitigation == case.declared.name]
    if case.proposal.service and len(same) >= case.declared.limits.per_service:
        return (
            f"{len(same)} runs of {case.declared.title!r} are open for {case.proposal.service}, which is the "
            "limit; nothing was run. Wait for them to end."
        )
    return None


def _cooldown(case: Case, facts: Facts) -> str | None:
    rest = timedelta(seconds=case.declared.limits.cooldown)
    wanted = set(case.proposal.targets)
    for attempt in facts.attempts:
        shared = wanted & set(attempt.targets)
        again = attempt.at + rest
        if attempt.mitigation == case.declared.name and shared and facts.now < again:
            return (
                f"{case.declared.title!r} ran on {min(shared)} at {attempt.at:%H:%M} UTC; it may run there "
                f"again at {again:%H:%M:%S} UTC. Nothing was run."
            )
    return None


def _blast_radius(case: Case, facts: Facts) -> str | None:  # noqa: ARG001
    limits, count = case.declared.limits, len(case.proposal.targets)
    most = min(limits.targets, case.auto.targets) if case.auto else limits.targets
    if count > most:
        return f"It would act on {count} targets; {case.declared.title!r} may act on {most}. Nothing was run."
    healthy = case.proposal.healthy
    if healthy is not None and count > max(1.0, healthy * limits.share):
        whose = case.proposal.service or "the service"
        return (
            f"It would act on {count} of {healthy} healthy members of {whose}; {limits.share:.0%} is "
            "the limit. Nothing was run."
        )
    return None


def _rate(case: Case, facts: Facts) -> str | None:
    recent = [a for a in facts.attempts if a.at > facts.now - HOUR and a.run != case.proposal.id]
    own = [a for a in recent if a.mitigation == case.declared.name]
    service = [a for a in recent if case.proposal.service and a.service == case.proposal.service]
    policy, limits = case.rules.policy, case.declared.limits
    counted = [
        (f"of {case.declared.title!r}", len(own), limits.per_hour),
        (f"for {case.proposal.service}", len(service), policy.per_service_hour),
        ("in all", len(recent), policy.per_hour),
    ]
    if case.auto is not None:
        counted.append(("without a person", sum(a.auto for a in own), case.auto.per_hour))
    for what, count, most in counted:
        if count >= most:
            return f"There were {count} attempts {what} within an hour, which is the limit; nothing was run."
    return None


def _window(case: Case, facts: Facts) -> str | None:
    for freeze in case.rules.policy.freezes:
        if freeze.holds(facts.now, case.proposal.service):
            return f"Nothing is run until {freeze.end:%Y-%m-%d %H:%M} UTC: {freeze.reason}."
    for hours in (case.declared.hours, case.auto.hours if case.auto else None):
        if hours is not None and not hours.holds(facts.now):
            days = ", ".join(hours.days)
            return (
                f"{case.declared.title!r} runs from {hours.start:%H:%M} to {hours.end:%H:%M} {hours.zone} "
                f"({days}) only; nothing was run."
            )
    return None


def _auto(case: Case, facts: Facts) -> str | None:
    if case.proposal.by != AUTO:
        return None
    if case.declared.auto is None:
        return f"{case.declared.title!r} is not declared for runs without a person."
    if not facts.auto_on.get(case.declared.name):
        return f"{case.declared.title!r} is paused for runs without a person."
    return None


def _ineffective(case: Case, facts: Facts) -> str | None:
    """What keeps failing needs a person: no more runs without one for that pair of mitigation and target."""
    auto = case.auto
    if auto is None:
        return None
    since, wanted = facts.now - timedelta(seconds=auto.within), set(case.proposal.targets)

    def counted(found: tuple[Attempt, ...]) -> int:
        return sum(
            a.mitigation == case.declared.name and a.at > since and bool(wanted & set(a.targets))
            for a in found
        )

    failed, ran = counted(facts.failures), counted(facts.attempts)
    if failed >= auto.failures:
        return f"{case.declared.title!r} did not help {failed} times on {min(wanted)}: a person has to look."
    if ran >= auto.runs:
        return (
            f"{case.declared.title!r} ran {ran} times on {min(wanted)}: a person has to look for the cause."
        )
    return None


_CLAIMING: frozenset[Stage] = frozenset({"confirm", "start"})
_AGREEING: frozenset[Stage] = frozenset({"approve", "start"})
GUARDRAILS: tuple[Guardrail, ...] = (
    Guardrail("registered", EVERYWHERE, _registered),
    Guardrail("kill-switch", EVERYWHERE, _kill_switch),
    Guardrail("permission", EVERYWHERE, _permission),
    Guardrail("confirm", _CLAIMING | _AGREEING, _confirm),
    Guardrail("once", frozenset({"confirm"}), _once),
    Guardrail("auto", ACTING, _auto),
    Guardrail("dry-run", ACTING, _dry_run),
    Guardrail("target", ACTING, _target),
    Guardrail("still-firing", ACTING, _still_firing),
    Guardrail("second-person", _AGREEING, _second_person),
    Guardrail("window", ACTING, _window),
    Guardrail("blast-radius", ACTING, _blast_radius),
    Guardrail("concurrency", ACTING, _concurrency),
    Guardrail("cooldown", ACTING, _cooldown),
    Guardrail("rate", ACTING, _rate),
    Guardrail("ineffective", ACTING, _ineffective),
)
