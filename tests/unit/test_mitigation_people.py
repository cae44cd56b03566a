"""What people do, in the wrong order, twice, too late, or without a right to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from alert_samples import alert, group
from mitigation_samples import (
    QUERY,
    ask,
    declared,
    fire,
    kit_with,
    later,
    message,
    press,
    statuses,
    thread,
)

from bot.plugin import Permanent
from bot.testing import Kit

pytestmark = pytest.mark.unit


@pytest.fixture
def kit() -> Iterator[Kit]:
    with kit_with() as made:
        fire(made)
        yield made


def test_the_strip_is_replaced_at_once(kit: Kit) -> None:
    kit.executors.fake.answer("running")
    kit.executors.fake.become("running")
    ask(kit)
    assert ":gear: restart on checkout is running" in message(kit).text
    assert "asked by <@UANN>" in message(kit).text
    assert "Restart checkout" not in message(kit).buttons


def test_every_transition_is_a_line_a_record_and_an_audit_row(kit: Kit) -> None:
    ask(kit)
    kit.metrics.set(QUERY, 0.0)
    later(kit, 120)
    expected = ["requested", "approved", "running", "verifying", "succeeded"]
    assert statuses(kit) == expected
    lines = [line for line in thread(kit) if "restart on checkout" in line]
    assert len(lines) == len(expected)
    assert lines[0] == ":raised_hand: restart on checkout was asked for · <@UANN>"
    assert lines[-1].startswith(":white_check_mark: restart on checkout worked: &lt; 0.05 for")
    rows = [row.action for row in kit.audit if row.action.startswith("mitigation.")]
    assert rows == [f"mitigation.{status}" for status in expected]


def test_a_button_of_a_group_that_is_over_shows_the_present_state(kit: Kit) -> None:
    old = message(kit).message
    kit.alerts.set([])
    kit.advance(minutes=1)
    kit.tick("reconcile")
    kit.click("Restart checkout", user="UANN", message=old)
    assert "is resolved since 09:01 UTC; nothing was done." in kit.reply.text
    assert not kit.chat.modals


def test_a_button_of_an_earlier_episode_runs_nothing(kit: Kit) -> None:
    old = message(kit).message
    kit.alerts.set([])
    kit.advance(minutes=1)
    kit.tick("reconcile")
    kit.advance(hours=2)
    fire(kit, alert(started=kit.clock()))
    kit.click("Restart checkout", user="UANN", message=old)
    assert "This message is an old one" in kit.reply.text


def test_resolved_while_it_waits_for_approval() -> None:
    with kit_with(declared(approvals=1)) as kit:
        fire(kit)
        ask(kit)
        kit.alerts.set([])
        kit.advance(minutes=1)
        kit.tick("reconcile")
        assert {"Approve", "Reject"} <= set(message(kit).buttons)
        kit.click("Approve", user="UBOB")
        assert statuses(kit)[-1] == "refused"
        assert not kit.executors.fake.ran


def test_alerts_that_ended_meanwhile_are_not_acted_on() -> None:
    limits = {"targets": 3, "share": 1}
    parameters = {"target": "{{ labels.instance }}"}
    with kit_with(declared(approvals=1, parameters=parameters, limits=limits)) as kit:
        fire(kit, alert("web-1"), alert("web-2"))
        ask(kit)
        kit.alerts.set([group(alert("web-2"))])
        kit.click("Approve", user="UBOB")
        assert list(kit.executors.fake.values) == ["web-2"]


def test_two_people_at_once_are_one_run(kit: Kit) -> None:
    press(kit, user="UANN")
    press(kit, user="UBOB")
    first, second = kit.chat.modals
    kit.submit({}, user="UBOB")
    kit.chat.modals.append(first)
    kit.submit({}, user="UANN")
    assert len(kit.executors.fake.ran) == 1
    assert "checkout is being acted on already (restart); nothing was run twice." in kit.reply.text
    assert second != first


def test_somebody_elses_dialog_confirms_nothing(kit: Kit) -> None:
    press(kit, user="UANN")
    kit.submit({}, user="UBOB")
    assert "Somebody else opened this dialog" in kit.reply.text
    assert not kit.executors.fake.ran


@pytest.mark.parametrize(("asks", "called"), [("UANN", True), ("UBOB", False)])
def test_who_is_on_call_is_asked_to_agree_unless_they_ask_themselves(asks: str, called: bool) -> None:
    oncall = {"escalate_to": "web", "oncall": {"web": {"users": ["UBOB"]}}}
    with kit_with(declared(approvals=1), **oncall) as kit:
        fire(kit)
        ask(kit, user=asks)
        assert (":rotating_light: <@UBOB>: please look at restart on checkout" in thread(kit)) == called


def test_approve_and_reject_at_once_count_once() -> None:
    with kit_with(declared(approvals=1)) as kit:
        fire(kit)
        ask(kit)
        screen = message(kit).message
        kit.click("Reject", user="UBOB", message=screen)
        kit.click("Approve", user="UCAT", message=screen)
        assert statuses(kit) == ["requested", "rejected"]
        assert "*Reject* was already taken by <@UBOB>" in kit.reply.text


def test_who_asked_may_take_it_back() -> None:
    with kit_with(declared(approvals=1)) as kit:
        fire(kit)
        ask(kit)
        kit.click("Reject", user="UANN")
        assert statuses(kit) == ["requested", "rejected"]
        assert "Restart checkout" in message(kit).buttons


def test_a_click_by_somebody_without_permission_reject_included() -> None:
    with kit_with(declared(approvals=1)) as kit:
        fire(kit)
        ask(kit)
        kit.grant("UEVE", "alerts.*", "mitigation.run")
        for label in ("Approve", "Reject"):
            assert kit.click(label, user="UEVE").refused
            assert "it needs the permission 'mitigation.approve'" in kit.reply.text
        assert statuses(kit) == ["requested"]
        assert {"Approve", "Reject"} <= set(message(kit).buttons)


def test_a_dialog_that_slack_takes_no_more_comes_as_a_message(kit: Kit) -> None:
    kit.chat.fail(Permanent("Slack refused views.open: expired_trigger_id."), on="open_modal")
    press(kit)
    assert "checkout will be set to 'on'" in kit.reply.text
    kit.click("Run it", user="UANN")
    assert len(kit.executors.fake.ran) == 1


def test_the_message_in_place_of_a_dialog_runs_out_too(kit: Kit) -> None:
    kit.chat.fail(Permanent("Slack refused views.open: expired_trigger_id."), on="open_modal")
    press(kit)
    kit.advance(minutes=11)
    kit.click("Run it", user="UANN")
    assert "'Run it' expired at 2026-03-02 09:10 UTC; nothing was run." in kit.reply.text


def test_a_person_tells_what_became_of_a_run_that_nobody_knows(kit: Kit) -> None:
    kit.executors.fake.answer("unknown", "no word")
    ask(kit)
    assert statuses(kit)[-1] == "unknown"
    kit.click("It worked", user="UBOB")
    assert statuses(kit)[-1] == "succeeded"
    assert "worked: a person looked and says so" in message(kit).text


def test_a_person_tells_that_it_did_not_work(kit: Kit) -> None:
    kit.executors.fake.answer("unknown", "no word")
    ask(kit)
    kit.executors.fake.answer("done")
    kit.click("It did not", user="UBOB")
    assert statuses(kit)[-2:] == ["failed", "rolled_back"]


def test_an_unknown_run_that_nobody_looks_at_is_escalated() -> None:
    oncall = {"escalate_to": "web", "oncall": {"web": {"users": ["UDAY"]}}}
    with kit_with(**oncall) as kit:
        kit.executors.fake.answer("unknown", "no word")
        fire(kit)
        ask(kit)
        kit.advance(timedelta(minutes=31))
        later(kit, 10)
        assert statuses(kit)[-1] == "escalated"
        assert sum("<@UDAY>" in line for line in thread(kit)) == 2


def test_a_mitigation_is_offered_for_the_alerts_that_it_is_for() -> None:
    with kit_with(declared(match={"instance": "web-2"}, parameters={"target": "x"})) as kit:
        fire(kit, alert("web-1"))
        assert "Restart checkout" not in message(kit).buttons
        fire(kit, alert("web-1"), alert("web-2"))
        assert "Restart checkout" in message(kit).buttons


def test_services_are_not_mixed() -> None:
    with kit_with(declared(match={"alertname": "HighErrorRate"}, parameters={"target": "x"})) as kit:
        other = alert("web-2")
        fire(kit, alert(), other.model_copy(update={"labels": {**other.labels, "service": "search"}}))
        press(kit)
        assert "The alerts differ in 'service' (checkout, search)" in kit.reply.text


def test_hostile_text_stays_text() -> None:
    with kit_with(declared(title="<!channel> *x*")) as kit:
        fire(kit)
        kit.executors.fake.answer("failed", "<!channel> <@U1> <http://a|b>")
        ask(kit, label="<!channel> *x*")
        for text in (message(kit).text, *thread(kit)):
            assert "<!channel>" not in text
            assert "<@U1>" not in text


def test_the_command_lists_runs_and_what_may_run(kit: Kit) -> None:
    ask(kit)
    kit.command("/signalbox mitigations")
    assert "Mitigations may run. 1 run open." in kit.reply.text
    assert "*Restart checkout* (restart): fake" in kit.reply.text
    assert "restart on checkout* verifying" in kit.reply.text
    kit.command("/signalbox mitigations runs")
    assert "*restart* on checkout: verifying" in kit.reply.text
    kit.command("/signalbox mitigations fly")
    assert "Say `mitigations [status | runs" in kit.reply.text
    kit.command("/signalbox mitigations auto restart on", user="UANN")
    assert "may run by themselves: none" in kit.reply.text


def test_health_tells_what_keeps_mitigations_from_running(kit: Kit) -> None:
    assert kit.health().status == "ok"
    kit.command("/signalbox mitigations stop we look", user="UANN")
    assert "Mitigations: stop (we look, by uann)" in kit.health().detail
    with kit_with(declared(executor="shell")) as other:
        assert "Mitigations name the executor 'shell', which is not installed." in other.health().detail
