"""After a failure: undo what can be undone, and tell people all that was tried."""

from __future__ import annotations

from datetime import timedelta

from bot.plugin import Outcome
from plugins.alert_relay.mitigation import waves
from plugins.alert_relay.mitigation.acting import no_answer, outcome_of
from plugins.alert_relay.mitigation.runs import Run
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
        if scene.switch().mode != "run":
            return _escalated(scene, run, "it was not undone, because mitigations are stopped")
        begun = {"undo_begun_at": scene.ctx.now(), "undo_begun_by": scene.ctx.event.id}
        return scene.ledger.move(run, run.with_part(number, **begun))
    if scene.ctx.now() > part.undo_begun_at + timedelta(seconds=mitigation.timeout):
        outcome = Outcome(progress="unknown", detail=no_answer(mitigation))
    else:
        outcome = outcome_of(scene, run, mitigation, number, "undo")
    if outcome.progress == "running" == part.undo:
        return run
    settled = run.with_part(number, undo=outcome.progress, undo_detail=outcome.detail[:500])
    return scene.ledger.move(run, settled)


def _undone(scene: Scene, run: Run) -> Run:
    tried = [part for part in run.proposal.parts if part.undo is not None]
    if not tried:
        return _escalated(scene, run, "nothing was changed that could be undone")
    if all(part.undo == "done" for part in tried):
        return scene.to(run, "rolled_back", f"{_tried(run)}. Undone: {waves.undo_report(tried)}")
    return _escalated(scene, run, f"undoing it failed: {waves.undo_report(tried)}")


def _escalated(scene: Scene, run: Run, why: str) -> Run:
    return scene.to(run, "escalated", f"{_tried(run)}; {why}")


def _tried(run: Run) -> str:
    last = next((step.text for step in reversed(run.transitions) if step.to == "failed"), "")
    return f"Tried: {waves.report(run.proposal.parts)}. {last}".strip()
