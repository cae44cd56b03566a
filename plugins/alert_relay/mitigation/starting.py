"""The last look before anything is done: everything is asked once more, and the attempt counts from here."""

from __future__ import annotations

from bot.plugin import Refused
from plugins.alert_relay.mitigation import change, proposals, telling
from plugins.alert_relay.mitigation.declarations import Mitigation
from plugins.alert_relay.mitigation.guardrails import Case
from plugins.alert_relay.mitigation.runs import Run
from plugins.alert_relay.mitigation.scene import Scene


def start(scene: Scene, run: Run) -> Run:
    case = scene.case("start", run.proposal, run.proposal.by, run, run.binding)
    try:
        with scene.refusals_noted(case):
            return _started(scene, run, case)
    except Refused as exc:
        return scene.to(run, "refused", f"{exc} [{exc.check}]")


def _started(scene: Scene, run: Run, case: Case) -> Run:
    mitigation = case.declared
    change.require_authority(scene, run)
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
        text = f"{held.reason}. It would have been: {effects}"
        return scene.ledger.move(run, ready.moved("observed", now, text=text))
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
