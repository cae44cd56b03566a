"""A run that acts is a change of the service: recorded before anything is done, ended with what came of it.

Called as often as a run is looked at; what stands in the record already is not written again.
"""

from __future__ import annotations

from bot.core.service_desk import EndStatus
from bot.plugin import Change, ConfigurationItem, Refused
from plugins.alert_relay.mitigation.declarations import Mitigation
from plugins.alert_relay.mitigation.runs import AUTO, Proposal, Run, Status
from plugins.alert_relay.mitigation.scene import Scene
from plugins.alert_relay.mitigation.switch_changes import TEMPLATE

_ENDS: dict[Status, EndStatus] = {
    "succeeded": "implemented",
    "rolled_back": "backed_out",
    "escalated": "failed",
}


def require_authority(scene: Scene, run: Run) -> None:
    """Refused where the operator allows no such change in advance, and no second person agreed."""
    if TEMPLATE in scene.ctx.settings.records.templates or run.approved_by:
        return
    raise Refused(
        f"{TEMPLATE!r} is not in records.templates, so a second person has to agree, and none was asked: "
        "give the mitigation a tier with approvals, or put the template back.",
        check="change-authority",
    )


def follow(scene: Scene, run: Run) -> None:
    """Bring the change record up to the run. What never acted changed nothing and has none."""
    if run.begun_at is None or run.status in {"refused", "expired", "observed"}:
        return
    change = _proposed(scene, run)
    scene.ctx.changes.begin(change.id)
    if run.status in _ENDS:
        last = run.transitions[-1]
        after = {"status": run.status, "verdict": run.verdict, "metric": run.latest.goal}
        scene.ctx.changes.end(change.id, _ENDS[run.status], outcome=last.text[:500], after=after)


def _proposed(scene: Scene, run: Run) -> Change:
    proposal, changes = run.proposal, scene.ctx.changes
    standard = TEMPLATE in scene.ctx.settings.records.templates
    mitigation = scene.rules.get(proposal.mitigation)
    change = changes.propose(
        "standard" if standard else "normal",
        f"{mitigation.title if mitigation else proposal.mitigation}: {', '.join(proposal.targets)}"[:200],
        key=f"mitigation/{run.id}",
        template=TEMPLATE if standard else "",
        by=f"service:{AUTO}" if run.is_auto else proposal.by,
        reason=(
            f"{proposal.title}: alert group {proposal.group}, firing since "
            f"{proposal.alert_since:%Y-%m-%d %H:%M} UTC."
        ),
        plan="; ".join(dict.fromkeys(part.plan.effect for part in proposal.parts)),
        backout_plan=_backout(mitigation),
        items=_items(proposal),
        affected_services=(proposal.service,) if proposal.service else ("signalbox",),
        evidence={"binding": run.binding, "policy": proposal.version, "approved_by": list(run.approved_by)},
        before={"metric": run.baseline.goal, "harm": run.baseline.harm},
        related={"run": run.id},
    )
    if change.status == "assessed":
        return changes.authorise(change.id, by=run.approved_by[-1])
    return change


def _backout(mitigation: Mitigation | None) -> str:
    if mitigation is not None and mitigation.inverse:
        return "It is undone by itself when the metric does not recover."
    return "It can't be undone by itself; the on-call is told what was tried."


def _items(proposal: Proposal) -> list[ConfigurationItem]:
    named = [ConfigurationItem(type="service", name=target) for target in proposal.targets]
    rule = ConfigurationItem(
        type="config", name=f"mitigation {proposal.mitigation}", version=proposal.version
    )
    return [rule, *named]
