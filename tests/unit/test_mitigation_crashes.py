"""Workers that die, executors that hang, answers that are lost: an action is never repeated blindly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mitigation_samples import QUERY, ask, declared, fire, kit_with, later, message, statuses, thread
from sqlalchemy import delete, update

from bot.core import tables
from bot.plugin import Permanent, Transient
from bot.testing import Kit, WorkerKilled

pytestmark = pytest.mark.unit


@pytest.fixture
def kit() -> Iterator[Kit]:
    with kit_with() as made:
        fire(made)
        yield made


def ran(kit: Kit) -> int:
    """How often the action took effect outside."""
    return sum(effect.method == "run" for effect in kit.executors.fake.effects)


def lease_over(kit: Kit) -> None:
    """The dead worker's lease runs out and another worker takes over."""
    kit.advance(minutes=3)


@pytest.mark.parametrize("after", [False, True], ids=["before the effect", "after the effect"])
def test_killed_in_the_middle_of_the_action(kit: Kit, after: bool) -> None:
    kit.executors.fake.fail(WorkerKilled(), on="run", after=after)
    ask(kit)
    assert statuses(kit) == ["requested", "approved", "running"]
    lease_over(kit)
    assert statuses(kit)[-1] == "verifying"
    assert ran(kit) == 1
    assert [call.method for call in kit.executors.fake.calls if call.method == "state"]


def test_killed_in_the_middle_of_an_action_that_nobody_can_tell_about(kit: Kit) -> None:
    kit.executors.fake.become("unknown", "it keeps no list")
    kit.executors.fake.fail(WorkerKilled(), on="run", after=True)
    ask(kit)
    lease_over(kit)
    assert statuses(kit)[-1] == "unknown"
    assert ran(kit) == 1
    assert "Nobody knows what restart on checkout did" in message(kit).text
    assert "it keeps no list" in message(kit).text
    assert message(kit).buttons[-2:] == ["It worked", "It did not"]


def test_an_action_that_may_be_repeated_is(kit: Kit) -> None:
    kit.executors.fake.repeatable = True
    kit.executors.fake.become("unknown")
    kit.executors.fake.fail(WorkerKilled(), on="run", after=True)
    ask(kit)
    lease_over(kit)
    assert statuses(kit)[-1] == "verifying"
    assert ran(kit) == 2


@pytest.mark.parametrize("port", ["chat", "alerts"])
def test_killed_at_any_call_of_the_way(port: str) -> None:
    """Whichever call the worker dies at, before or after it, there is one action and a verdict."""
    for nth in range(12):
        with kit_with() as kit:
            fire(kit)
            faults = getattr(kit, port)
            faults._faults = []
            ask_with_kill(kit, faults, nth)
            lease_over(kit)
            kit.metrics.set(QUERY, 0.0)
            later(kit, 200)
            kit.settle()
            later(kit, 20)
            assert ran(kit) <= 1
            assert ran(kit) == 0 or statuses(kit)[-1] == "succeeded", (nth, statuses(kit))
            assert len(set(thread(kit))) == len(thread(kit)), "a line was told twice"


def ask_with_kill(kit: Kit, port: object, nth: int) -> None:
    """Press, and kill the worker at the `nth` call that follows the confirmation."""
    kit.click("Restart checkout", user="UANN")
    calls = {"left": nth}
    original = port._next_fault  # type: ignore[attr-defined]

    def die(method: str) -> object:
        calls["left"] -= 1
        if calls["left"] == -1:
            raise WorkerKilled
        return original(method)

    port._next_fault = die  # type: ignore[attr-defined]
    kit.submit({}, user="UANN")


def test_an_answer_that_was_lost_is_asked_for(kit: Kit) -> None:
    kit.executors.fake.fail(Transient("The connection was cut."), on="run", after=True)
    ask(kit)
    kit.settle()
    later(kit, 10)
    assert statuses(kit)[-1] == "verifying"
    assert ran(kit) == 1


def test_an_executor_that_hangs_holds_no_worker(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugins.alert_relay.mitigation.scene._SHARE", 0.001)
    monkeypatch.setattr("plugins.alert_relay.mitigation.actuator.GRACE", 0.0)
    kit.executors.fake.hang("run", "state")
    ask(kit)
    later(kit, 320)
    kit.executors.fake.release()
    assert statuses(kit)[-1] == "unknown"
    assert "no answer within 300 s" in message(kit).text
    assert ran(kit) <= 1


def test_an_executor_that_refuses_did_nothing(kit: Kit) -> None:
    kit.executors.fake.fail(Permanent("The cluster does not know checkout."), on="run")
    ask(kit)
    assert statuses(kit)[-2:] == ["failed", "escalated"]
    assert "The cluster does not know checkout." in message(kit).text


def test_a_run_that_lost_its_errand_is_found_by_the_clock(kit: Kit) -> None:
    kit.executors.fake.fail(WorkerKilled(), on="run", after=True)
    ask(kit)
    with kit.kernel.db.write() as tx:
        tx.execute(update(tables.runs).where(tables.runs.c.status == "leased").values(status="dead"))
        tx.execute(delete(tables.serials))
    later(kit, 10)
    assert statuses(kit)[-1] == "verifying"
    assert ran(kit) == 1


def test_an_executor_that_stays_away_ends_as_unknown(kit: Kit) -> None:
    kit.executors.fake.fail(Transient("The cluster is away."), on="run", times=1000)
    kit.executors.fake.fail(Transient("The cluster is away."), on="state", times=1000)
    ask(kit)
    kit.settle()
    later(kit, 320)
    assert statuses(kit)[-1] == "unknown"
    assert ran(kit) == 0


def test_killed_while_undoing(kit: Kit) -> None:
    kit.executors.fake.values["checkout"] = "before"
    ask(kit)
    kit.executors.fake.fail(WorkerKilled(), on="run", after=True)
    later(kit, 400)
    lease_over(kit)
    later(kit, 10)
    assert statuses(kit)[-1] == "rolled_back"
    assert kit.executors.fake.values == {"checkout": "before"}
    assert ran(kit) == 2  # once to act, once to undo


def test_a_mitigation_that_is_not_declared_any_more_ends_in_words() -> None:
    with kit_with(
        declared(approvals=1), declared(name="other", title="Other", match={"alertname": "X"})
    ) as kit:
        fire(kit)
        ask(kit)
        kit.plugin.config = kit.plugin.config.model_copy(
            update={"mitigations": kit.plugin.config.mitigations[1:]}
        )
        kit.click("Approve", user="UBOB")
        assert "No mitigation is declared as 'restart'" in kit.reply.text
        later(kit, 700)
        assert statuses(kit)[-1] == "expired"


def test_a_run_whose_mitigation_is_taken_away_while_it_is_verified_needs_a_person(kit: Kit) -> None:
    ask(kit)
    kit.plugin.config = kit.plugin.config.model_copy(update={"mitigations": ()})
    later(kit, 10)
    assert statuses(kit)[-1] == "unknown"
    later(kit, 1810)
    assert statuses(kit)[-1] == "escalated"


def test_prometheus_away_is_no_verdict_and_then_unknown(kit: Kit) -> None:
    ask(kit)
    kit.metrics.fail(Transient("Prometheus is away."), times=1000)
    later(kit, 200)
    assert statuses(kit)[-1] == "verifying"
    later(kit, 200)
    assert statuses(kit)[-1] == "unknown"
    assert "there was no data in the whole window" in message(kit).text
