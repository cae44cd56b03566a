"""After a failure: undo what can be undone, and tell people all that was tried."""

from __future__ import annotations

from datetime import timedelta

from bot.plugin import Outcome, Permanent, Refused
from plugins.alert_relay.mitigation import waves
from plugins.alert_relay.mitigation.acting import no_answer, outcome_of
from plugins.alert_relay.mitigation.declarations import Mitigation
from plugins.alert_relay.mitigation.runs import Part, Run
from plugins.alert_relay.mitigation.scene import Scene


def undo(scene: Scene, run: Run) -> Run:
    mitigation = scene.declared(run.proposal.mitigation)
    number = waves.to_undo(run.proposal.parts)
    if not mitigation.inverse:
        return _escalated(scene, run, "it is not to be undone")
    if number is None:
        return _undone(scene, run)
    part = run.proposal.parts[number]
    if part.undo_begun_at is None:
        return _begun(scene, run, mitigation, number)
    if scene.ctx.now() > part.undo_begun_at + timedelta(seconds=mitigation.timeout):
        outcome = Outcome(progress="unknown", detail=no_answer(mitigation))
    else:
        outcome = outcome_of(scene, run, mitigation, number, "undo")
    if outcome.progress == "running" == part.undo:
        return run
    settled = run.with_part(number, undo=outcome.progress, undo_detail=outcome.detail[:500])
    return scene.ledger.move(run, settled)


def _begun(scene: Scene, run: Run, mitigation: Mitigation, number: int) -> Run:
    """Stored before it is undone; what can't be undone is left as it is."""
    if not _is_reversible(scene, mitigation, run.proposal.parts[number]):
        return scene.ledger.move(run, run.with_part(number, undo="absent"))
    if scene.switch().mode != "run":
        return _escalated(scene, run, "it was not undone, because mitigations are stopped")
    begun = {"undo_begun_at": scene.ctx.now(), "undo_begun_by": scene.ctx.event.id}
    return scene.ledger.move(run, run.with_part(number, **begun))


def _is_reversible(scene: Scene, mitigation: Mitigation, part: Part) -> bool:
    try:
        return scene.actuator(mitigation, part).inverse(part.plan) is not None
    except (Permanent, Refused):
        return True  # what is wrong is told when it is tried


def _undone(scene: Scene, run: Run) -> Run:
    tried = [part for part in run.proposal.parts if part.undo not in {None, "absent"}]
    if not tried:
        lasts = any(part.undo == "absent" for part in run.proposal.parts)
        why = "it can't be undone" if lasts else "nothing was changed that could be undone"
        return _escalated(scene, run, why)
    if all(part.undo == "done" for part in tried):
        undone = f"{_tried(run)}. Undone: {waves.undo_report(tried)}{_next(scene, run)}"
        return scene.to(run, "rolled_back", undone)
    return _escalated(scene, run, f"undoing it failed: {waves.undo_report(tried)}")


def _escalated(scene: Scene, run: Run, why: str) -> Run:
    return scene.to(run, "escalated", f"{_tried(run)}; {why}{_next(scene, run)}")


def _next(scene: Scene, run: Run) -> str:
    """Whose turn it is now, for whoever reads it; by itself it runs only where somebody turned that on."""
    found = [
        f"{after.title!r}"
        for after in scene.rules.following(run.proposal.mitigation)
        if after.fits(run.proposal.labels)
    ]
    return f". Next in turn: {', '.join(found)}" if found else ""


def _tried(run: Run) -> str:
    last = next((step.text for step in reversed(run.transitions) if step.to == "failed"), "")
    return f"Tried: {waves.report(run.proposal.parts)}. {last}".strip()
