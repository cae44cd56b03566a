"""Whether a run helped: the metric has the word."""

from __future__ import annotations

from datetime import datetime

from bot.core.errors import SignalboxError
from bot.plugin import Series
from plugins.alert_relay.mitigation import verification
from plugins.alert_relay.mitigation.acting import unknown
from plugins.alert_relay.mitigation.declarations import Verification
from plugins.alert_relay.mitigation.runs import Reading, Run
from plugins.alert_relay.mitigation.scene import Scene
from plugins.alert_relay.mitigation.verification import Judgement


def verify(scene: Scene, run: Run) -> Run:
    """The next look at the metrics; the run stays as it is while it is too early for a verdict."""
    spec, acted_at = scene.query(scene.declared(run.proposal.mitigation), run.proposal), run.acted_at
    if spec is None or acted_at is None:
        return unknown(scene, run, "its verification is not declared any more")
    begin, end = verification.times(spec, acted_at)
    if scene.ctx.now() < begin:
        return run
    latest = scene.reading(spec)
    if spec.harm is not None and verification.is_harm(spec.harm, run.baseline.harm, latest.harm):
        text = f"it did harm: {spec.harm.query} went from {run.baseline.harm} to {latest.harm}"
        return scene.to(run, "failed", text, latest=latest, verdict="not_recovered", harmed=True)
    values = _values(scene, spec, begin, min(scene.ctx.now(), end))
    judged = verification.judge(spec, values, acted_at, scene.ctx.now())
    return _ended(scene, run, judged, latest, _measured(spec, run, latest.goal, judged))


def _ended(scene: Scene, run: Run, judged: Judgement, latest: Reading, text: str) -> Run:
    match judged.verdict:
        case "recovered":
            return scene.to(run, "succeeded", text, latest=latest, verdict="recovered")
        case "not_recovered":
            return scene.to(run, "failed", text, latest=latest, verdict="not_recovered")
        case "unknown":
            return unknown(scene, run, text, latest=latest)
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
