"""What the engine does: start, act, verify, undo, escalate. Each step is stored before the next is taken.

A worker may die anywhere. What it had begun is asked about first, by whoever goes on.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from bot.core.errors import SignalboxError
from bot.plugin import Outcome, Permanent, Refused, Series
from plugins.alert_relay.mitigation import proposals, telling, verification, waves
from plugins.alert_relay.mitigation.actuator import Actuator
from plugins.alert_relay.mitigation.declarations import Mitigation, Verification
from plugins.alert_relay.mitigation.guardrails import Case
from plugins.alert_relay.mitigation.runs import Part, Run, Status
from plugins.alert_relay.mitigation.scene import Scene
from plugins.alert_relay.mitigation.verification import Judgement

_AT_ONCE = 12
"""Steps that one errand takes at most: far more than a run has that needs no waiting."""


def advance(scene: Scene, run_id: str) -> None:
    """Take the run as far as it can go now."""
    run = scene.ledger.run(run_id)
    for _ in range(_AT_ONCE):
        scene.tell(run)
        after = _step(scene, run)
        if after.revision == run.revision:
            return
        run = after
    scene.tell(run)
    scene.hurry(run)


def _step(scene: Scene, run: Run) -> Run:
    if run.status in {"requested", "approved"} and _over(scene, run):
        return _to(
            scene, run, "expired", "nobody agreed in time" if run.status == "requested" else "too late"
        )
    match run.status:
        case "approved":
            return _start(scene, run)
        case "running":
            return _act(scene, run)
        case "verifying":
            return _verify(scene, run)
        case "failed":
            return _after_failure(scene, run)
        case "unknown" if _over(scene, run):
            return _to(scene, run, "escalated", "nobody said in time whether it worked")
        case _:
            return run


def _over(scene: Scene, run: Run) -> bool:
    return run.wait_until is not None and scene.ctx.now() > run.wait_until


def _to(scene: Scene, run: Run, to: Status, text: str, **changes: object) -> Run:
    return scene.ledger.move(run, run.moved(to, scene.ctx.now(), text=text, **changes))


# -- approved: the last look before anything is done ---------------------------------------------------


def _start(scene: Scene, run: Run) -> Run:
    case = scene.case("start", run.proposal, run.proposal.by, run, run.binding)
    try:
        return _started(scene, run, case)
    except Refused as exc:
        scene.ledger.note_refusal(case, exc)
        if exc.check == "rate":
            _trip(scene, run)
        return _to(scene, run, "refused", f"{exc} [{exc.check}]")


def _started(scene: Scene, run: Run, case: Case) -> Run:
    mitigation = case.declared
    firing = scene.firing(run.proposal.group)
    facts = scene.facts(case, firing)
    scene.ledger.check(case, facts)
    ready = _planned_anew(scene, run, mitigation, firing or frozenset())
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


def _trip(scene: Scene, run: Run) -> None:
    """Too many attempts are a sign of something else being wrong: from here on, only observe."""
    if scene.switch().mode != "run":
        return
    if scene.ledger.attempts_in_hour() >= scene.rules.policy.per_hour:
        scene.ledger.set_switch("observe", "the circuit breaker", "too many attempts within an hour")


# -- running -----------------------------------------------------------------------------------------


def _act(scene: Scene, run: Run) -> Run:
    """Act on one part, or see what became of the one that is under way."""
    mitigation = scene.declared(run.proposal.mitigation)
    number = waves.current(run.proposal.parts)
    if number is None:
        return _acted(scene, run, mitigation)
    part = run.proposal.parts[number]
    if part.begun_at is None:
        return _next_part(scene, run, mitigation, number)
    if scene.ctx.now() > part.begun_at + timedelta(seconds=mitigation.timeout):
        return _settle_part(scene, run, number, Outcome(progress="unknown", detail=_late(mitigation)))
    outcome = _outcome(scene, run, mitigation, number, "run")
    if outcome.progress == "running" == part.progress:
        return run
    return _settle_part(scene, run, number, outcome)


def _late(mitigation: Mitigation) -> str:
    return f"no answer within {mitigation.timeout:g} s"


def _next_part(scene: Scene, run: Run, mitigation: Mitigation, number: int) -> Run:
    """Before each further target: is it still allowed, and did it do harm so far?"""
    why = _stop(scene, run, mitigation, number)
    if why:
        rest = tuple(
            p if p.begun_at else p.model_copy(update={"progress": "skipped", "detail": why})
            for p in run.proposal.parts
        )
        changed = run.proposal.model_copy(update={"parts": rest})
        return scene.ledger.move(run, run.model_copy(update={"proposal": changed}))
    return scene.ledger.move(
        run, run.with_part(number, begun_at=scene.ctx.now(), begun_by=scene.ctx.event.id)
    )


def _stop(scene: Scene, run: Run, mitigation: Mitigation, number: int) -> str:
    if number == 0:
        return ""
    held = scene.switch()
    if held.mode != "run":
        return f"left alone: {held.reason}"
    if waves.too_many_errors(run.proposal.parts, mitigation.limits.errors):
        return "left alone: too many targets failed before"
    spec = scene.query(mitigation, run.proposal)
    if waves.opens_wave(number) and spec is not None and spec.harm is not None:
        now = scene.reading(spec)
        if verification.is_harm(spec.harm, run.baseline.harm, now.harm):
            return f"left alone: the harm metric went from {run.baseline.harm} to {now.harm}"
    return ""


def _outcome(
    scene: Scene, run: Run, mitigation: Mitigation, number: int, what: Literal["run", "undo"]
) -> Outcome:
    """Run, once. Whoever finds it begun by another event asks what became of it, and never repeats blindly."""
    part = run.proposal.parts[number]
    progress, begun_by = (part.progress, part.begun_by) if what == "run" else (part.undo, part.undo_begun_by)
    acting = _actuator(scene, mitigation, part, what)
    key = f"{run.id}-{number}" + ("" if what == "run" else "-undo")
    try:
        if progress == "running":
            found = acting.state(key=key)
            return found if found.progress != "absent" else Outcome(progress="unknown", detail=found.detail)
        if begun_by != scene.ctx.event.id:
            known = acting.reconcile_run(key=key)
            if known is not None:
                return known
        return scene.ctx.step(f"{what}-{run.id[:12]}-{number}", acting.run, key=key)
    except (Permanent, Refused) as exc:
        return Outcome(progress="failed", detail=str(exc))


def _actuator(scene: Scene, mitigation: Mitigation, part: Part, what: str) -> Actuator:
    acting = scene.actuator(mitigation, part)
    if what == "run":
        return acting
    parameters = acting.inverse(part.plan)
    if parameters is None:
        raise Permanent("It can't be undone.")
    return scene.actuator(mitigation, part.model_copy(update={"parameters": parameters}))


def _settle_part(scene: Scene, run: Run, number: int, outcome: Outcome) -> Run:
    detail = f"{outcome.detail} {outcome.output}".strip()[:500]
    return scene.ledger.move(run, run.with_part(number, progress=outcome.progress, detail=detail))


def _acted(scene: Scene, run: Run, mitigation: Mitigation) -> Run:
    """All that would be acted on was: from here on, the metric has the word."""
    parts, now = run.proposal.parts, scene.ctx.now()
    done = [part for part in parts if part.progress == "done"]
    details = waves.report(parts)
    if any(part.progress == "unknown" for part in parts):
        return _unknown(scene, run, details, acted_at=now)
    if not done or waves.too_many_errors(parts, mitigation.limits.errors):
        return _to(scene, run, "failed", details, acted_at=now)
    if mitigation.verify is None:
        return _to(scene, run, "succeeded", f"{details} (not verified: no query is declared)", acted_at=now)
    return _to(scene, run, "verifying", details, acted_at=now)


def _unknown(scene: Scene, run: Run, text: str, **changes: object) -> Run:
    until = scene.ctx.now() + scene.rules.policy.answer_within
    why = f"{text}. Look and press a button by {until:%H:%M} UTC"
    return _to(scene, run, "unknown", why, verdict="unknown", wait_until=until, **changes)


# -- verifying ---------------------------------------------------------------------------------------


def _verify(scene: Scene, run: Run) -> Run:
    mitigation = scene.declared(run.proposal.mitigation)
    spec, acted_at, now = scene.query(mitigation, run.proposal), run.acted_at, scene.ctx.now()
    if spec is None or acted_at is None:
        return _unknown(scene, run, "its verification is not declared any more")
    begin, end = verification.times(spec, acted_at)
    if now < begin:
        return run
    latest = scene.reading(spec)
    if spec.harm is not None and verification.is_harm(spec.harm, run.baseline.harm, latest.harm):
        text = f"it did harm: {spec.harm.query} went from {run.baseline.harm} to {latest.harm}"
        return _to(scene, run, "failed", text, latest=latest, verdict="not_recovered", harmed=True)
    judged = verification.judge(spec, _values(scene, spec, begin, min(now, end)), acted_at, now)
    text = _measured(spec, run, latest.goal, judged)
    match judged.verdict:
        case "recovered":
            return _to(scene, run, "succeeded", text, latest=latest, verdict="recovered")
        case "not_recovered":
            return _to(scene, run, "failed", text, latest=latest, verdict="not_recovered")
        case "unknown":
            return _unknown(scene, run, text, latest=latest)
        case None:
            return run


def _values(scene: Scene, spec: Verification, start: datetime, end: datetime) -> list[Series]:
    try:
        return list(scene.ctx.metrics.query_range(spec.query, start=start, end=end, step=spec.step))
    except SignalboxError as exc:
        scene.ctx.log.warning("metric.not_read", error=str(exc))
        return []


def _measured(spec: Verification, run: Run, latest: float | None, judged: Judgement) -> str:
    before = run.baseline.goal
    was = "no data" if before is None else f"{before:g}"
    now = "no data" if latest is None else f"{latest:g}"
    fine = " (it met its goal before, too)" if before is not None and spec.met(before) else ""
    return f"{judged.reason}; {was} before{fine}, {now} now"


# -- failed: undo, or tell people all that was tried ---------------------------------------------------


def _after_failure(scene: Scene, run: Run) -> Run:
    mitigation = scene.declared(run.proposal.mitigation)
    number = waves.to_undo(run.proposal.parts)
    if not mitigation.inverse:
        return _escalated(scene, run, "it is not to be undone")
    if number is None:
        return _undone(scene, run)
    part = run.proposal.parts[number]
    if part.undo_begun_at is None:
        if scene.switch().mode != "run":
            return _escalated(scene, run, "it was not undone, because mitigations are stopped")
        begun = {"undo_begun_at": scene.ctx.now(), "undo_begun_by": scene.ctx.event.id}
        return scene.ledger.move(run, run.with_part(number, **begun))
    if scene.ctx.now() > part.undo_begun_at + timedelta(seconds=mitigation.timeout):
        outcome = Outcome(progress="unknown", detail=_late(mitigation))
    else:
        outcome = _outcome(scene, run, mitigation, number, "undo")
    if outcome.progress == "running" == part.undo:
        return run
    settled = run.with_part(number, undo=outcome.progress, undo_detail=outcome.detail[:500])
    return scene.ledger.move(run, settled)


def _undone(scene: Scene, run: Run) -> Run:
    tried = [part for part in run.proposal.parts if part.undo is not None]
    if not tried:
        return _escalated(scene, run, "nothing was changed that could be undone")
    if all(part.undo == "done" for part in tried):
        return _to(scene, run, "rolled_back", f"{_tried(run)}. Undone: {waves.undo_report(tried)}")
    return _escalated(scene, run, f"undoing it failed: {waves.undo_report(tried)}")


def _escalated(scene: Scene, run: Run, why: str) -> Run:
    return _to(scene, run, "escalated", f"{_tried(run)}; {why}")


def _tried(run: Run) -> str:
    last = next((step.text for step in reversed(run.transitions) if step.to == "failed"), "")
    return f"Tried: {waves.report(run.proposal.parts)}. {last}".strip()
