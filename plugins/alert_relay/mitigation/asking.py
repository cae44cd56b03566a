"""What people do: ask for a mitigation, confirm it, agree to it or not, say what it did."""

from __future__ import annotations

from datetime import datetime

from bot.core.messages import Block
from bot.plugin import AlertGroup, Refused, User
from plugins.alert_relay.mitigation import proposals, telling
from plugins.alert_relay.mitigation.declarations import Mitigation
from plugins.alert_relay.mitigation.ledger import RECORD
from plugins.alert_relay.mitigation.proposals import Asker
from plugins.alert_relay.mitigation.runs import FINAL, Proposal, Run, Status, Verdict
from plugins.alert_relay.mitigation.scene import Scene
from plugins.alert_relay.state import GroupState

_LAST = 3


def propose(scene: Scene, state: GroupState, name: str, asker: Asker, run_id: str) -> Proposal:
    """A dry run for the alerts that fire now, which every guardrail that applies already lets through."""
    mitigation = scene.declared(name)
    live = _live(scene, state)
    made = proposals.make(
        mitigation,
        live,
        scene.ctx.executors,
        id=run_id,
        title=state.card.title,
        episode=state.episode,
        asker=asker,
        confirm_within=scene.rules.policy.confirm_within,
        call_seconds=scene.dry_run_seconds(mitigation),
    )
    scene.query(mitigation, made)  # a label that its queries lack is better known now
    case = scene.case("ask", made, asker.user)
    with scene.refusals_noted(case):
        scene.ledger.check(case, scene.facts(case, frozenset(a.fingerprint for a in live.firing())))
    scene.ledger.keep(made)
    return made


def _live(scene: Scene, state: GroupState) -> AlertGroup:
    live = scene.live(state.key)
    if live is None:
        raise Refused(
            f"Alertmanager does not list {state.card.title} any more; nothing was run.", check="still-firing"
        )
    return live


def question(scene: Scene, proposal: Proposal) -> tuple[Mitigation, list[Block]]:
    mitigation = scene.declared(proposal.mitigation)
    tier = mitigation.tier(proposal.environment)
    spec = scene.query(mitigation, proposal)
    shown = mitigation.model_copy(update={"verify": spec})
    held = scene.switch()
    return mitigation, telling.question(
        shown,
        proposal,
        now_at=scene.reading(spec).goal,
        last=_last(scene, proposal),
        approvals=(tier.approvals or 0) if tier else 0,
        observes=held.reason if held.mode == "observe" else "",
    )


def _last(scene: Scene, proposal: Proposal) -> list[str]:
    ended = [
        f"{r.data['status'].replace('_', ' ')} {r.at:%d %b %H:%M}"
        for r in scene.ctx.records.find(RECORD, limit=300)
        if r.data["mitigation"] == proposal.mitigation and r.data["status"] in FINAL
    ]
    return ended[:_LAST]


def confirm(scene: Scene, run_id: str, binding: str, user: str, *, why: str = "") -> Run:
    """Claim the run. What was shown is what will run, and nobody else runs it too."""
    proposal = scene.ledger.proposal(run_id)
    if proposal.by != user:
        raise Refused("Somebody else opened this dialog; press the button yourself.", check="confirm")
    case = scene.case("confirm", proposal, user, binding=binding)
    with scene.refusals_noted(case):
        claimed = scene.ledger.claim(
            case, scene.facts(case, scene.firing(proposal.group)), _run(scene, proposal, binding, why)
        )
    if claimed.status == "approved":
        scene.hurry(claimed)  # first: what people read takes its time
    scene.tell(claimed)
    return claimed


def _run(scene: Scene, proposal: Proposal, binding: str, why: str) -> Run:
    """The run as it begins: approved at once where nobody else has to agree."""
    tier = scene.declared(proposal.mitigation).tier(proposal.environment)
    needed = (tier.approvals or 0) if tier else 0
    now, within = scene.ctx.now(), scene.rules.policy.approve_within
    empty = Run(proposal=proposal, binding=binding, approvals=needed, wait_until=now + within)
    text = _wanted(needed, tier.approver or "", now + within) if needed and tier else why
    run = empty.requested(now, text=text)
    return run if needed else run.moved("approved", now, text="nobody else has to agree")


def _wanted(needed: int, permission: str, until: datetime) -> str:
    who = "another person" if needed == 1 else f"{needed} other people"
    return f"{who} with the permission {permission} must agree by {until:%H:%M} UTC"


def approve(scene: Scene, run_id: str, binding: str, user: User) -> str:
    """One person's agreement; with the last of them the run may start."""
    run = _bound(scene, run_id, binding, user)
    if user.id in run.approved_by and run.status != "requested":
        return _again(scene, run)
    run = _decided(scene, run, user)
    agreed = (*run.approved_by, user.id)
    now = scene.ctx.now()
    changed = run.model_copy(update={"approved_by": agreed})
    if len(agreed) >= run.approvals:
        within = scene.rules.policy.approve_within
        changed = changed.moved("approved", now, by=user.id, wait_until=now + within)
    run = scene.ledger.move(run, changed)
    if run.status == "approved":
        scene.hurry(run)
    scene.tell(run)
    return "approved" if run.status == "approved" else f"{len(agreed)} of {run.approvals} agree"


def reject(scene: Scene, run_id: str, binding: str, user: User) -> str:
    """Who may agree may also reject, the one who asked for it included."""
    run = _bound(scene, run_id, binding, user)
    if run.was("rejected", by=user.id):
        return _again(scene, run)
    if run.status != "requested":
        raise Refused(f"The run is {run.status} already; nothing was rejected.", check="once")
    run = scene.ledger.move(run, run.moved("rejected", scene.ctx.now(), by=user.id, text="nothing was run"))
    scene.tell(run)
    return "rejected"


def _bound(scene: Scene, run_id: str, binding: str, user: User) -> Run:
    run = scene.ledger.run(run_id)
    mitigation = scene.declared(run.proposal.mitigation)
    tier = mitigation.tier(run.proposal.environment)
    if tier is None or not scene.ctx.permissions.allowed(user.id, tier.approver):
        case = scene.case("approve", run.proposal, user.id, run, binding)
        with scene.refusals_noted(case):
            needed = tier.approver if tier else mitigation.approver
            scene.ctx.permissions.require(user.id, needed, f"decide about {mitigation.title!r}")
    if binding != run.binding:
        raise Refused("This button belongs to something else; nothing was decided.", check="confirm")
    return run


def _decided(scene: Scene, run: Run, user: User) -> Run:
    case = scene.case("approve", run.proposal, user.id, run, run.binding)
    with scene.refusals_noted(case):
        if run.status != "requested":
            raise Refused(f"The run is {run.status} already; nothing was approved.", check="once")
        scene.ledger.check(case, scene.facts(case, frozenset()))
    return run


def answer(scene: Scene, run_id: str, user: User, *, worked: bool) -> str:
    """A person says what became of a run that nobody knows about."""
    run = scene.ledger.run(run_id)
    mitigation = scene.declared(run.proposal.mitigation)
    tier = mitigation.tier(run.proposal.environment)
    needed = tier.permission if tier else mitigation.permission
    scene.ctx.permissions.require(user.id, needed, f"judge {mitigation.title!r}")
    to: Status = "succeeded" if worked else "failed"
    if run.was(to, by=user.id):
        return _again(scene, run)
    if run.status != "unknown":
        raise Refused(f"The run is {run.status} already; nothing was changed.", check="once")
    verdict: Verdict = "recovered" if worked else "not_recovered"
    text = "a person looked and says so"
    moved = run.moved(to, scene.ctx.now(), by=user.id, text=text, verdict=verdict)
    run = scene.ledger.move(run, moved)
    scene.hurry(run)
    scene.tell(run)
    return to


def _again(scene: Scene, run: Run) -> str:
    """A press that is handled once more, because its worker died before it had told: go on from there."""
    scene.tell(run)
    scene.hurry(run)
    return run.status
