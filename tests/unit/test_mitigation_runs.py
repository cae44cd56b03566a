"""The state machine of a run: every way that exists, and none that does not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bot.plugin import Permanent, Plan
from bot.testing import START
from plugins.alert_relay.mitigation import waves
from plugins.alert_relay.mitigation.runs import FINAL, TRANSITIONS, Part, Proposal, Run, Status

pytestmark = pytest.mark.unit
STATUSES: list[Status] = sorted(TRANSITIONS)


def part(target: str = "checkout", **changed: object) -> Part:
    made = Part(
        alerts=("a1",), parameters={"target": target}, plan=Plan(targets=(target,), effect="It restarts.")
    )
    return made.model_copy(update=changed)


def proposal(**changed: object) -> Proposal:
    made = Proposal(
        id="r1",
        mitigation="restart",
        version="v1",
        group="g1",
        episode=1,
        channel="#alerts",
        title="HighErrorRate",
        service="checkout",
        environment="",
        alert_since=START,
        parts=(part(),),
        labels={},
        by="UANN",
        at=START,
        expires_at=START + timedelta(minutes=10),
    )
    return made.model_copy(update=changed)


def run(**changed: object) -> Run:
    made = Run(proposal=proposal(), binding=proposal().binding).requested(START)
    return made.model_copy(update=changed)


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("after", STATUSES)
def test_only_the_declared_transitions_exist(before: Status, after: Status) -> None:
    held = run(status=before)
    if after in TRANSITIONS[before]:
        assert held.moved(after, START).status == after
        return
    with pytest.raises(Permanent, match=f"is {before} and can't become {after}"):
        held.moved(after, START)


def test_every_status_can_be_reached_and_every_way_ends() -> None:
    reached: set[Status] = {"requested"}
    for _ in STATUSES:
        reached |= {after for status in reached for after in TRANSITIONS[status]}
    assert reached == set(STATUSES)
    assert {"succeeded", "rolled_back", "escalated"} <= FINAL

    def ends(status: Status, seen: frozenset[Status]) -> bool:
        assert status not in seen, "a run could go in circles"
        return not TRANSITIONS[status] or all(ends(a, seen | {status}) for a in TRANSITIONS[status])

    assert ends("requested", frozenset())


class Walk(RuleBasedStateMachine):
    """Any sequence of attempted transitions, legal or not."""

    def __init__(self) -> None:
        super().__init__()
        self.run = run()
        self.was_done = False

    @rule(to=st.sampled_from(STATUSES))
    def attempt(self, to: Status) -> None:
        before = self.run
        try:
            self.run = before.moved(to, START, text=to)
        except Permanent:
            assert self.run == before
        self.was_done |= self.run.status == "running"

    @invariant()
    def every_step_is_told_once_in_order(self) -> None:
        assert [step.seq for step in self.run.transitions] == list(range(1, len(self.run.transitions) + 1))
        assert self.run.transitions[-1].to == self.run.status

    @invariant()
    def nothing_is_judged_that_was_not_done(self) -> None:
        if self.run.status in {"verifying", "succeeded", "failed", "unknown", "rolled_back", "escalated"}:
            assert self.was_done

    @invariant()
    def what_is_final_stays(self) -> None:
        assert self.run.is_open == (self.run.status not in FINAL)


TestWalk = Walk.TestCase


# -- what is bound to an approval ----------------------------------------------------------------------

CHANGES = [
    {"mitigation": "reboot"},
    {"version": "v2"},
    {"group": "g2"},
    {"episode": 2},
    {"parts": (part("billing"),)},
    {"parts": (part(), part("billing"))},
    {"parts": (part(parameters={"target": "checkout", "force": True}),)},
]


@pytest.mark.parametrize("changed", CHANGES, ids=str)
def test_an_approval_is_bound_to_action_parameters_targets_and_alert(changed: dict[str, object]) -> None:
    assert proposal(**changed).binding != proposal().binding


def test_the_binding_does_not_depend_on_when_and_in_which_order() -> None:
    two = (part("a"), part("b"))
    one = proposal(parts=two)
    other = proposal(parts=two[::-1], at=START + timedelta(hours=1), by_name="Ann")
    assert one.binding == other.binding


# -- waves -----------------------------------------------------------------------------------------------


@given(st.integers(0, 200))
def test_waves_double(number: int) -> None:
    starts = [2**n - 1 for n in range(9)]
    assert waves.opens_wave(number) == (number in starts)


def test_the_share_of_errors_is_counted_of_what_ended() -> None:
    done, failed, left = part(progress="done"), part(progress="failed"), part()
    assert waves.too_many_errors([failed, left, left], 0.5)
    assert not waves.too_many_errors([done, failed, left], 0.5)
    assert waves.too_many_errors([done, failed, left], 0.0)
    assert not waves.too_many_errors([done, left], 0.0)


def test_what_is_unknown_is_undone_too_and_the_newest_first() -> None:
    parts = [
        part(progress="done"),
        part(progress="unknown"),
        part(progress="failed"),
        part(progress="skipped"),
    ]
    assert waves.to_undo(parts) == 1
    parts[1] = parts[1].model_copy(update={"undo": "done"})
    assert waves.to_undo(parts) == 0
