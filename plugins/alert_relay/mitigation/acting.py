"""Acting on the targets of a run, one after the other, each of them once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from bot.plugin import Outcome, Permanent, Refused
from plugins.alert_relay.mitigation import verification, waves
from plugins.alert_relay.mitigation.actuator import Actuator
from plugins.alert_relay.mitigation.declarations import Mitigation
from plugins.alert_relay.mitigation.runs import Part, Run
from plugins.alert_relay.mitigation.scene import Scene

_ABSENT = Outcome(progress="absent")


def act(scene: Scene, run: Run) -> Run:
    """Act on one part, or see what became of the one that is under way."""
    mitigation = scene.declared(run.proposal.mitigation)
    number = waves.current(run.proposal.parts)
    if number is None:
        return _acted(scene, run, mitigation)
    part = run.proposal.parts[number]
    if part.begun_at is None:
        return _next_part(scene, run, mitigation, number)
    if scene.ctx.now() > part.begun_at + timedelta(seconds=mitigation.timeout):
        return _settle_part(scene, run, number, Outcome(progress="unknown", detail=no_answer(mitigation)))
    outcome = outcome_of(scene, run, mitigation, number, "run")
    if outcome.progress == "running" == part.progress:
        return run
    return _settle_part(scene, run, number, outcome)


def no_answer(mitigation: Mitigation) -> str:
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


def outcome_of(
    scene: Scene, run: Run, mitigation: Mitigation, number: int, what: Literal["run", "undo"]
) -> Outcome:
    """Run, once. Whoever finds it begun by another event asks first what became of it."""
    part = run.proposal.parts[number]
    progress, begun_by = (part.progress, part.begun_by) if what == "run" else (part.undo, part.undo_begun_by)
    key = f"{run.id}-{number}" + ("" if what == "run" else "-undo")
    try:
        acting = _actuator(scene, mitigation, part, what)
    except (Permanent, Refused) as exc:
        return Outcome(progress="failed", detail=str(exc))
    if progress == "running" or begun_by != scene.ctx.event.id:
        found = _found(acting, key, polling=progress == "running")
        if found.progress != "absent":
            return found
        if progress == "running":
            return Outcome(progress="unknown", detail=f"it was running and is gone. {found.detail}".strip())
    try:
        return scene.ctx.step(f"{what}-{run.id[:12]}-{number}", acting.run, key=key)
    except (Permanent, Refused) as exc:
        return Outcome(progress="failed", detail=str(exc))


def _found(acting: Actuator, key: str, *, polling: bool) -> Outcome:
    """What the outside knows of a call that somebody else made, or began to make."""
    try:
        return acting.state(key=key) if polling else acting.reconcile_run(key=key) or _ABSENT
    except (Permanent, Refused) as exc:
        return Outcome(progress="unknown", detail=str(exc))


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
        return unknown(scene, run, details, acted_at=now)
    if not done or waves.too_many_errors(parts, mitigation.limits.errors):
        return scene.to(run, "failed", details, acted_at=now)
    if mitigation.verify is None:
        return scene.to(run, "succeeded", f"{details} (not verified: no query is declared)", acted_at=now)
    return scene.to(run, "verifying", details, acted_at=now)


def unknown(scene: Scene, run: Run, text: str, **changes: Any) -> Run:
    until = scene.ctx.now() + scene.rules.policy.answer_within
    why = f"{text}. Look and press a button by {until:%H:%M} UTC"
    return scene.to(run, "unknown", why, verdict="unknown", wait_until=until, **changes)
