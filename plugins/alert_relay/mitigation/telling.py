"""What people read about runs: the dialog, the lines, the strip."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.core.messages import Block
from bot.plugin import (
    Actions,
    Button,
    Confirm,
    Markup,
    Message,
    Modal,
    Note,
    Section,
    Text,
    join,
    md,
    mention,
)
from plugins.alert_relay import history, words
from plugins.alert_relay.mitigation.declarations import Mitigation, Rules
from plugins.alert_relay.mitigation.runs import AUTO, Proposal, Run, Transition
from plugins.alert_relay.state import GroupState, SeenRun

_SIGNS = {
    "requested": ":raised_hand:",
    "approved": ":thumbsup:",
    "running": ":gear:",
    "verifying": ":mag:",
    "succeeded": ":white_check_mark:",
    "failed": ":x:",
    "unknown": ":grey_question:",
    "rolled_back": ":leftwards_arrow_with_hook:",
    "escalated": ":rotating_light:",
    "refused": ":no_entry:",
    "rejected": ":no_entry_sign:",
    "expired": ":hourglass:",
    "observed": ":telescope:",
}
_LOUD = {"rolled_back", "escalated", "unknown"}
_KEPT = 3
_SHOWN_TARGETS = 5
_SHOWN_BUTTONS = 10


def targets(found: Sequence[str]) -> str:
    rest = len(found) - _SHOWN_TARGETS
    return ", ".join(found[:_SHOWN_TARGETS]) + (f" and {rest} more" if rest > 0 else "")


# -- the dialog --------------------------------------------------------------------------------------


def dialog(proposal: Proposal, blocks: Sequence[Block], title: str) -> Modal:
    return Modal(
        view="mitigate",
        title=title[:24],
        submit="Run it",
        blocks=tuple(blocks),
        private={"run": proposal.id, "binding": proposal.binding, "channel": proposal.channel},
    )


def late_dialog(proposal: Proposal, blocks: Sequence[Block], title: str) -> Message:
    """The same question as a message, for when the dry run took longer than a dialog may wait for."""
    button = Button(
        text="Run it",
        action="mitigate-now",
        args={"run": proposal.id, "binding": proposal.binding},
        group=f"confirm:{proposal.id}",
        style="primary",
        expires_in=proposal.expires_at - proposal.at,
    )
    text = f"{title}: run it?"
    return Message(text=text, blocks=(*blocks, Actions(elements=(button,))), priority="high")


def question(
    mitigation: Mitigation,
    proposal: Proposal,
    *,
    now_at: float | None,
    last: Sequence[str],
    approvals: int,
    observes: str,
) -> list[Block]:
    """Exactly what would be done, what is expected of it, and what came of it before."""
    effects = list(dict.fromkeys(part.plan.effect for part in proposal.parts))
    blocks: list[Block] = [
        Section(text=md("*{}*\nTargets: {}", mitigation.title, targets(proposal.targets))),
        Section(text="\n".join(effects[:_SHOWN_TARGETS])),
        Section(text=_expected(mitigation, now_at)),
    ]
    if mitigation.confirm:
        blocks.append(Section(text=mitigation.confirm))
    notes = [f"Last runs: {'; '.join(last)}" if last else "It never ran before."]
    if approvals:
        notes.append(f"{words.count(approvals, 'other person')} must agree.".replace("persons", "people"))
    if observes:
        notes.append(f"Observe only ({observes}): nothing will be run.")
    notes.append(f"This can be confirmed until {proposal.expires_at:%H:%M} UTC.")
    blocks.append(Note(parts=(" ".join(notes),)))
    return blocks


def _expected(mitigation: Mitigation, now_at: float | None) -> str:
    spec = mitigation.verify
    if spec is None:
        return "Its effect is not verified: no query is declared for that."
    value = "no data now" if now_at is None else f"now {now_at:g}"
    fine = ", which is met already" if now_at is not None and spec.met(now_at) else ""
    return (
        f"Expected: {spec.query} {spec.goal} ({value}{fine}) for {spec.hold:g} s, "
        f"within {words.span(spec.settle + spec.window)}."
    )


# -- lines and the message ---------------------------------------------------------------------------


def shown(known: GroupState | None, run: Run, oncall: str) -> GroupState | None:
    """The group's state with what happened to the run since it was told last."""
    if known is None:
        return None
    before = next((seen for seen in known.runs if seen.run == run.id), None)
    new = run.transitions[before.seq if before else 0 :]
    seen = _seen(run)
    if before == seen:
        return known
    others = [other for other in known.runs if other.run != run.id]
    state = known.model_copy(update={"runs": _kept([*others, seen])})
    for step in new:
        state = history.with_line(state, "mitigation", by=_person(step.by), text=sentence(run, step))
        if oncall and _calls(run, step, oncall):
            state = history.with_line(state, "mitigation_call", by=oncall, text=_title(run))
    return state


def _calls(run: Run, step: Transition, oncall: str) -> bool:
    """Whether somebody has to come: to agree, or because it did not go well."""
    agreement = step.to == "requested" and run.approvals > 0 and oncall != run.proposal.by
    return agreement or step.to in _LOUD


def _kept(seen: Sequence[SeenRun]) -> tuple[SeenRun, ...]:
    closed = [s.run for s in seen if not s.is_open][-_KEPT:]
    return tuple(s for s in seen if s.is_open or s.run in closed)


def _seen(run: Run) -> SeenRun:
    last = run.transitions[-1]
    missing = run.approvals - len(run.approved_by)
    ask = (
        "approve" if run.status == "requested" and missing > 0 else "judge" if run.status == "unknown" else ""
    )
    return SeenRun(
        run=run.id,
        mitigation=run.proposal.mitigation,
        title=_title(run),
        status=run.status,
        is_open=run.is_open,
        seq=last.seq,
        text=sentence(run, last),
        by=_person(run.proposal.by),
        ask=ask,
        binding=run.binding,
        agreed=len(run.approved_by),
    )


def _person(user: str) -> str:
    return "" if user == AUTO else user


def _title(run: Run) -> str:
    return f"{run.proposal.mitigation} on {targets(run.proposal.targets)}"


def sentence(run: Run, step: Transition) -> str:
    """One transition in words; who did it is added as a mention."""
    sign, what = _SIGNS[step.to], _title(run)
    said = {
        "requested": f"{what} was asked for",
        "approved": f"{what} was approved",
        "running": f"{what} is running",
        "verifying": f"{what} ran; whether it helped is being verified",
        "succeeded": f"{what} worked",
        "failed": f"{what} did not work",
        "unknown": f"Nobody knows what {what} did",
        "rolled_back": f"{what} was undone",
        "escalated": f"{what} needs a person",
        "refused": f"{what} was refused",
        "rejected": f"{what} was rejected",
        "expired": f"{what} ran out",
        "observed": f"{what} was not run",
    }[step.to]
    return f"{sign} {said}{f': {step.text}' if step.text else ''}"[:700]


def notes(state: GroupState) -> list[Text]:
    """The runs of a group, one line each."""
    found: list[Text] = []
    for seen in state.runs:
        by = mention(seen.by) if seen.by else "no person"
        found.append(md("{} · asked by {}", seen.text, by))
    return found


def strip(state: GroupState, rules: Rules) -> list[Actions]:
    """What people can do: start a mitigation that is not under way, or answer what a run asks."""
    rows = [Actions(elements=_answers(seen)) for seen in state.runs if seen.ask]
    if state.status == "firing" and (buttons := _starters(state, rules)):
        rows.insert(0, Actions(elements=buttons))
    return rows


def _starters(state: GroupState, rules: Rules) -> tuple[Button, ...]:
    busy = {seen.mitigation for seen in state.runs if seen.is_open}
    wanted = [rules.get(name) for name in state.levers if name not in busy]
    tried = {seen.mitigation for seen in state.runs if seen.status in {"escalated", "rolled_back"}}
    return tuple(
        Button(
            text=found.title,
            action="mitigate",
            args={"key": state.key, "episode": state.episode, "mitigation": found.name},
            once=False,
            style="primary" if found.follows in tried else "",
        )
        for found in wanted[:_SHOWN_BUTTONS]
        if found is not None
    )


def _answers(seen: SeenRun) -> tuple[Button, ...]:
    args = {"run": seen.run, "binding": seen.binding}
    if seen.ask == "approve":
        group = f"agree:{seen.run}:{seen.agreed}"
        return (
            Button(text="Approve", action="approve-mitigation", args=args, group=group, style="primary"),
            Button(text="Reject", action="reject-mitigation", args=args, group=group, style="danger"),
        )
    group = f"judge:{seen.run}"
    sure = Confirm(
        title="Did it work?", text="Look at the system first: this closes the run.", ok="It worked"
    )
    return (
        Button(text="It worked", action="mitigation-worked", args=args, group=group, confirm=sure),
        Button(text="It did not", action="mitigation-failed", args=args, group=group),
    )


def line(kind: str, by: str, text: str) -> Markup:
    """A line of the history, as the thread shows it."""
    if kind == "mitigation_call":
        return md(":rotating_light: {}: please look at {}", words.called(by), text)
    return join("", [text, md(" · {}", mention(by))]) if by else join("", [text])


# -- lists -------------------------------------------------------------------------------------------


def run_line(run: Run, now: datetime) -> Markup:
    age = words.span((now - run.proposal.at).total_seconds())
    by = mention(run.proposal.by) if _person(run.proposal.by) else "no person"
    return md("{} *{}* {} · asked by {} {} ago", _SIGNS[run.status], _title(run), run.status, by, age)
