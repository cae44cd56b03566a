"""What the clock does for runs, every ten seconds: hand over what is due, and start what runs by itself."""

from __future__ import annotations

from datetime import timedelta

from bot.plugin import Refused
from plugins.alert_relay import history, memory, ticketing
from plugins.alert_relay.mitigation import asking, ladder, proposals
from plugins.alert_relay.mitigation.declarations import Mitigation
from plugins.alert_relay.mitigation.ladder import Fate
from plugins.alert_relay.mitigation.proposals import Asker
from plugins.alert_relay.mitigation.runs import AUTO, Run
from plugins.alert_relay.mitigation.scene import AUTO_DUE, Scene
from plugins.alert_relay.state import GroupState

_RETRY_SECONDS = 60.0


def walk(scene: Scene) -> None:
    for run in scene.ledger.open_runs():
        if _is_due(scene, run):
            scene.hurry(run)
    _start_automatic(scene)


def _is_due(scene: Scene, run: Run) -> bool:
    """What runs or is verified is looked at each time; what waits for people, when they are late."""
    return run.status not in {"requested", "unknown"} or scene.is_over(run)


def _start_automatic(scene: Scene) -> None:
    on = {name for name, is_on in scene.ledger.auto_on().items() if is_on}
    wanted = [m for m in scene.rules.mitigations if m.auto is not None and m.name in on]
    if not wanted:
        return
    for state in memory.firing(scene.ctx):
        for mitigation in wanted:
            if mitigation.name in state.levers and _is_due_by_itself(scene, state, mitigation):
                _leave(scene, state, mitigation)


def _is_due_by_itself(scene: Scene, state: GroupState, mitigation: Mitigation) -> bool:
    return _has_fired_long(scene, state, mitigation) and _is_up(scene, state, mitigation)


def _is_up(scene: Scene, state: GroupState, mitigation: Mitigation) -> bool:
    return ladder.is_up(scene.rules, mitigation, state.levers, lambda name: _fate(scene, state, name))


def _fate(scene: Scene, state: GroupState, name: str) -> Fate:
    """What became of a mitigation in this episode, whoever asked for it."""
    if run := scene.ledger.newest_run(state.key, state.episode, name):
        return ladder.fate(run)
    said = scene.ctx.documents.get(_refusals_of(state, name))
    return "passed" if said and ladder.PASSING & set(said.data["by_event"]) else "untried"


def _refusals_of(state: GroupState, name: str) -> str:
    return f"mitigation-auto-refused:{run_id(state, name)}"


def _has_fired_long(scene: Scene, state: GroupState, mitigation: Mitigation) -> bool:
    after = timedelta(seconds=mitigation.auto.after if mitigation.auto else 0)
    return not state.is_quiet and scene.ctx.now() >= state.started_at + after


def run_id(state: GroupState, mitigation: str) -> str:
    """One automatic run per episode of a group."""
    return proposals.identity("auto", state.key, state.episode, mitigation)


def _leave(scene: Scene, state: GroupState, mitigation: Mitigation) -> None:
    wanted = run_id(state, mitigation.name)
    if scene.ledger.has_run(wanted):
        return
    data = {"key": state.key, "episode": state.episode, "mitigation": mitigation.name}
    scene.ctx.emit(
        AUTO_DUE, data, subject=state.key, serial=f"mitigation:{wanted}", once=wanted, within=_RETRY_SECONDS
    )


def start_automatic(scene: Scene, key: str, episode: int, name: str) -> None:
    """Propose and claim a run that no person asked for; a refusal is told once, not every minute."""
    state, _ = memory.load(scene.ctx, key)
    if state is None or state.status != "firing" or state.episode != episode:
        return
    wanted = run_id(state, name)
    try:
        made = asking.propose(scene, state, name, Asker(AUTO, "", state.channel, scene.ctx.now()), wanted)
        asking.confirm(scene, made.id, made.binding, AUTO, why=_why(scene, state, name))
    except Refused as exc:
        _tell_refusal(scene, state, name, exc)


def _why(scene: Scene, state: GroupState, name: str) -> str:
    before = ladder.first(scene.rules, scene.declared(name), state.levers)
    if before is None:
        return ""
    tried = _fate(scene, state, before.name) == "did_not_help"
    return f"{before.title!r} {'did not help' if tried else 'is not what helps here'}"


def _tell_refusal(scene: Scene, state: GroupState, name: str, refused: Refused) -> None:
    """Audited and told once for each reason and episode: what keeps it from running may hold for hours."""
    ctx, key = scene.ctx, _refusals_of(state, name)
    found = ctx.documents.get(key)
    known = found.data["by_event"] if found else {}
    if known.get(refused.check, ctx.event.id) != ctx.event.id:
        return
    ctx.documents.put(key, {"by_event": {**known, refused.check: ctx.event.id}})
    subject = f"{name}: {state.card.title}"
    said = {
        "check": refused.check,
        "words": str(refused),
        "stage": "auto",
        "asked_by": AUTO,
        "group": state.key,
    }
    ctx.audit("mitigation.refused", subject, after=said, outcome="refused")
    scene.board.change(state.key, lambda now: _with_refusal(scene, now, name, refused))
    if refused.check == "ineffective":
        ticketing.want(ctx, state, f"{name} runs no more by itself: {refused}")


def _with_refusal(scene: Scene, known: GroupState | None, name: str, refused: Refused) -> GroupState | None:
    event_id = scene.ctx.event.id
    if known is None or any(line.event_id == event_id for line in known.history):
        return known
    text = f":no_entry: {name} did not run by itself: {refused}"
    told = history.with_line(known, "mitigation", text=text)
    target = scene.oncall(known)
    if refused.check == "ineffective" and target:
        return history.with_line(told, "mitigation_call", by=target, text=name)
    return told
