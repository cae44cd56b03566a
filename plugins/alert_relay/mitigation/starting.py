"""The last look before anything is done: everything is asked once more, and the attempt counts from here."""

from __future__ import annotations

from bot.plugin import Refused
from plugins.alert_relay.mitigation import proposals, telling
from plugins.alert_relay.mitigation.declarations import Mitigation
from plugins.alert_relay.mitigation.guardrails import Case
from plugins.alert_relay.mitigation.runs import Run
from plugins.alert_relay.mitigation.scene import Scene


def start(scene: Scene, run: Run) -> Run:
    case = scene.case("start", run.proposal, run.proposal.by, run, run.binding)
    try:
        return _started(scene, run, case)
    except Refused as exc:
        scene.ledger.note_refusal(case, exc)
        if exc.check == "rate":
            _trip(scene)
        return scene.to(run, "refused", f"{exc} [{exc.check}]")


def _started(scene: Scene, run: Run, case: Case) -> Run:
    mitigation = case.declared
    firing = scene.firing(run.proposal.group)
    facts = scene.facts(case, firing)
    scene.ledger.check(case, facts)
    ready = _planned_anew(scene, run, mitigation, firing)
    spec = scene.query(mitigation, ready.proposal)
    ready = ready.model_copy(update={"baseline": scene.reading(spec)})
    held = scene.switch()
    now = scene.ctx.now()
    effects = "; ".join(dict.fromkeys(part.plan.effect for part in ready.proposal.parts))
    if held.mode == "observe":
        return scene.ledger.move(
            run, ready.moved("observed", now, text=f"{held.reason}. Would have: {effects}")
        )
    moved = ready.moved("running", now, text=effects, begun_at=now, wait_until=None)
    return scene.ledger.start(case, facts, run, moved)


def _planned_anew(scene: Scene, run: Run, mitigation: Mitigation, firing: frozenset[str]) -> Run:
    """What still fires, dry-run once more: same targets, and the state to restore as it is now."""
    parts = []
    for part in proposals.still_firing(run.proposal, firing):
        plan = scene.actuator(mitigation, part).plan()
        if plan.targets != part.plan.targets:
            raise Refused(
                f"It would act on {telling.targets(plan.targets)} now and not on "
                f"{telling.targets(part.plan.targets)}, which was confirmed; nothing was run.",
                check="target",
            )
        parts.append(part.model_copy(update={"plan": plan}))
    changed = run.proposal.model_copy(update={"parts": tuple(parts)})
    return run.model_copy(update={"proposal": changed})


def _trip(scene: Scene) -> None:
    """Too many attempts are a sign of something else being wrong: from here on, only observe."""
    if scene.switch().mode != "run":
        return
    if scene.ledger.attempts_in_hour() >= scene.rules.policy.per_hour:
        scene.ledger.set_switch("observe", "the circuit breaker", "too many attempts within an hour")
