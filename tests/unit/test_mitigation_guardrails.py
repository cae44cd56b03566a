"""The twenty guardrails, by number. A refusal names its check, is told to the person and is audited."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alert_samples import alert
from mitigation_samples import (
    QUERY,
    RESTART,
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
from pydantic import ValidationError

from bot.core.audit import Audit
from bot.core.memory import Documents
from bot.plugin import Transient
from bot.testing import START, Kit
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.mitigation.ledger import masked

pytestmark = pytest.mark.unit
PER_HOST = declared(match={"alertname": "HighErrorRate"}, parameters={"target": "{{ labels.instance }}"})


@pytest.fixture
def kit() -> Iterator[Kit]:
    with kit_with() as made:
        yield made


def checks(kit: Kit) -> list[str]:
    """Names of the guardrails that refused, as the audit trail has them."""
    return [row.after["check"] for row in kit.audit if row.action == "mitigation.refused"]


def nothing_ran(kit: Kit) -> bool:
    return not any(executor.ran for executor in kit.executors.fakes)


def refused(kit: Kit, check: str, words: str) -> None:
    """Refused by `check`, told with `words`, audited, and nothing was run."""
    assert checks(kit)[-1] == check
    assert words in kit.reply.text
    assert nothing_ran(kit)


# 1 --------------------------------------------------------------------------------------------------


def test_1_registered_actions_only() -> None:
    with kit_with(declared(executor="shell")) as kit:
        fire(kit)
        press(kit)
        assert "needs" not in kit.reply.text
        assert "The executor 'shell' is not installed (there are: fake)" in kit.reply.text
        assert nothing_ran(kit)


def test_1_registered_parameters_only() -> None:
    with kit_with(declared(parameters={"command": "rm -rf /"})) as kit:
        fire(kit)
        press(kit)
        assert "does not take these parameters" in kit.reply.text
        assert "command" in kit.reply.text


# 2 --------------------------------------------------------------------------------------------------


def test_2_target_on_the_deny_list() -> None:
    with kit_with(declared(deny=["check*"], allow=["*"])) as kit:
        fire(kit)
        press(kit)
        refused(kit, "target", "checkout is on the list of targets that are never acted on")


def test_2_target_on_the_general_deny_list() -> None:
    with kit_with(mitigation={"deny": ["checkout"]}) as kit:
        fire(kit)
        press(kit)
        refused(kit, "target", "never acted on")


def test_2_target_outside_of_the_inventory() -> None:
    with kit_with(declared(allow=["billing", "search-*"])) as kit:
        fire(kit)
        press(kit)
        refused(kit, "target", "checkout is not among the targets that 'Restart checkout' may act on")


def test_2_target_that_the_dry_run_moved_is_not_acted_on() -> None:
    with kit_with(declared(approvals=1)) as kit:
        fire(kit)
        ask(kit)
        plan = kit.executors.fake.plan
        moved = {"targets": ("billing",)}
        kit.executors.fake.plan = lambda *a, **k: plan(*a, **k).model_copy(update=moved)
        kit.click("Approve", user="UBOB")
        assert statuses(kit)[-1] == "refused"
        assert checks(kit) == ["target"]
        assert "billing now and not on checkout, which was confirmed" in message(kit).text
        assert nothing_ran(kit)


# 3 --------------------------------------------------------------------------------------------------


def test_3_still_firing_when_pressed(kit: Kit) -> None:
    fire(kit)
    kit.alerts.set([])
    press(kit)
    assert "Alertmanager does not list HighErrorRate · checkout any more" in kit.reply.text


def test_3_still_firing_when_confirmed(kit: Kit) -> None:
    fire(kit)
    press(kit)
    kit.alerts.set([])
    kit.submit({}, user="UANN")
    refused(kit, "still-firing", "does not fire any more; nothing was run")


def test_3_still_firing_right_before_it_runs() -> None:
    with kit_with(declared(approvals=1)) as kit:
        fire(kit)
        ask(kit)
        kit.alerts.set([])
        kit.click("Approve", user="UBOB")
        assert statuses(kit)[-1] == "refused"
        assert checks(kit) == ["still-firing"]
        assert "does not fire any more" in message(kit).text
        assert nothing_ran(kit)


def test_3_what_alertmanager_can_not_say_waits_and_then_runs_out() -> None:
    with kit_with(declared(approvals=1)) as kit:
        fire(kit)
        ask(kit)
        kit.alerts.fail(Transient("Alertmanager is away."), times=10_000)
        kit.click("Approve", user="UBOB")
        later(kit, 900)
        assert statuses(kit)[-1] == "expired"
        assert nothing_ran(kit)


# 4 --------------------------------------------------------------------------------------------------


@pytest.fixture
def tiers() -> Iterator[Kit]:
    own = {
        "environment": "env",
        "environments": {
            "test": {},
            "prod": {"permission": "mitigation.prod", "approvals": 1, "approver": "mitigation.agree-prod"},
        },
    }
    with kit_with(declared(**own)) as made:
        made.grant("UDEV", "mitigation.run", "mitigation.approve", "alerts.ack")
        made.grant("UOPS", "mitigation.run", "mitigation.prod")
        yield made


def in_environment(kit: Kit, name: str) -> None:
    base = alert()
    fire(kit, base.model_copy(update={"labels": {**base.labels, "env": name}}))


def test_4_permission_of_the_action(kit: Kit) -> None:
    kit.grant("UEVE", "alerts.*")
    fire(kit)
    done = press(kit, user="UEVE")
    assert done.refused
    assert "You may not press 'Restart checkout': it needs the permission 'mitigation.run'" in kit.reply.text
    assert not kit.chat.modals


def test_4_permission_of_the_environment(tiers: Kit) -> None:
    in_environment(tiers, "prod")
    press(tiers, user="UDEV")
    refused(tiers, "permission", "it needs the permission 'mitigation.prod'")
    press(tiers, user="UOPS")
    assert tiers.chat.modals


def test_4_an_environment_that_nobody_declared_is_refused(tiers: Kit) -> None:
    in_environment(tiers, "staging")
    press(tiers)
    assert "is not declared for the environment 'staging'" in tiers.reply.text
    assert not tiers.chat.modals


def test_4_approving_and_rejecting_need_the_environments_permission(tiers: Kit) -> None:
    in_environment(tiers, "prod")
    ask(tiers, user="UOPS")
    for label in ("Approve", "Reject"):
        done = tiers.click(label, user="UDEV")
        assert done.refused
        assert "it needs the permission 'mitigation.agree-prod'" in tiers.reply.text
    tiers.grant("UBOSS", "mitigation.approve", "mitigation.agree-prod")
    tiers.click("Approve", user="UBOSS")
    assert tiers.executors.fake.values == {"checkout": "on"}


def test_4_judging_needs_the_environments_permission(tiers: Kit) -> None:
    in_environment(tiers, "prod")
    tiers.executors.fake.answer("unknown")
    ask(tiers, user="UOPS")
    tiers.grant("UBOSS", "mitigation.approve", "mitigation.agree-prod")
    tiers.click("Approve", user="UBOSS")
    assert tiers.click("It worked", user="UDEV").refused
    assert "it needs the permission 'mitigation.prod'" in tiers.reply.text
    tiers.click("It worked", user="UOPS")
    assert statuses(tiers)[-1] == "succeeded"


def test_4_permission_is_asked_again_before_it_runs() -> None:
    with kit_with(declared(approvals=1)) as kit:
        fire(kit)
        ask(kit)
        del kit.kernel.settings.roles["kit-UANN"]
        kit.click("Approve", user="UBOB")
        assert statuses(kit)[-1] == "refused"
        assert checks(kit) == ["permission"]


# 5 --------------------------------------------------------------------------------------------------


def test_5_confirm_shows_target_effect_expectation_and_last_runs(kit: Kit) -> None:
    fire(kit)
    ask(kit)
    kit.metrics.set(QUERY, 0.0)
    later(kit, 120)
    kit.metrics.set(QUERY, 0.3)
    kit.advance(hours=1)
    press(kit)
    said = "\n".join(
        str(getattr(b, "text", "") or getattr(b, "parts", "")) for b in kit.chat.modals[-1].blocks
    )
    assert "Targets: checkout" in said
    assert "checkout will be set to 'on'" in said
    assert f"Expected: {QUERY} < 0.05 (now 0.3) for 60 s" in said
    assert "Requests in flight fail." in said
    assert "Last runs: succeeded" in said
    assert kit.chat.modals[-1].submit == "Run it"


def test_5_an_expired_confirm_runs_nothing(kit: Kit) -> None:
    fire(kit)
    press(kit)
    kit.advance(minutes=11)
    kit.submit({}, user="UANN")
    refused(kit, "confirm", "The dialog ran out at 09:10 UTC; nothing was run.")


def test_5_a_dialog_of_something_else_is_refused(kit: Kit) -> None:
    fire(kit)
    press(kit)
    modal = kit.chat.modals[-1]
    kit.chat.modals.append(modal.model_copy(update={"private": {**modal.private, "binding": "0" * 32}}))
    kit.submit({}, user="UANN")
    refused(kit, "confirm", "What you confirmed is not what would run any more")


def test_5_a_declaration_that_changed_is_not_what_was_confirmed() -> None:
    with kit_with() as kit:
        fire(kit)
        press(kit)
        changed = declared(confirm="Something else.")
        kit.plugin.config = AlertRelayConfig(mitigations=[changed])  # type: ignore[arg-type]
        kit.submit({}, user="UANN")
        refused(kit, "confirm", "was declared anew meanwhile")


# 6 --------------------------------------------------------------------------------------------------


@pytest.fixture
def two() -> Iterator[Kit]:
    with kit_with(declared(approvals=1)) as made:
        fire(made)
        ask(made)
        yield made


def test_6_second_person_is_somebody_else(two: Kit) -> None:
    two.click("Approve", user="UANN")
    refused(two, "second-person", "You asked for it yourself: somebody else has to agree.")
    two.click("Approve", user="UBOB")
    assert two.executors.fake.values == {"checkout": "on"}
    assert statuses(two) == ["requested", "approved", "running", "verifying"]
    [row] = [row for row in two.audit if row.action == "mitigation.running"]
    assert row.after["requested_by"] == "UANN"
    assert row.after["approved_by"] == ["UBOB"]


def test_6_approval_expires(two: Kit) -> None:
    later(two, 620)
    assert statuses(two) == ["requested", "expired"]
    assert "Approve" not in message(two).buttons
    assert "Restart checkout" in message(two).buttons


def test_6_an_old_approval_button_approves_nothing(two: Kit) -> None:
    two.clock.advance(timedelta(minutes=11))
    two.click("Approve", user="UBOB")
    refused(two, "second-person", "The request ran out at 09:10 UTC")


def test_6_two_approvals_are_two_people() -> None:
    with kit_with(declared(approvals=2)) as kit:
        fire(kit)
        ask(kit)
        kit.click("Approve", user="UBOB")
        assert nothing_ran(kit)
        kit.click("Approve", user="UBOB")
        refused(kit, "second-person", "You agreed already; another person has to agree as well.")
        kit.click("Approve", user="UCAT")
        assert kit.executors.fake.values == {"checkout": "on"}


def test_6_rejecting_ends_it(two: Kit) -> None:
    two.click("Reject", user="UBOB")
    assert statuses(two) == ["requested", "rejected"]
    assert nothing_ran(two)
    assert "was rejected: nothing was run" in message(two).text


# 7 --------------------------------------------------------------------------------------------------


def test_7_a_dry_run_that_fails_stops_it(kit: Kit) -> None:
    kit.executors.fake.fail(Transient("The cluster does not answer."), on="plan")
    fire(kit)
    press(kit)
    assert "The dry run failed: The cluster does not answer. Nothing was run." in kit.reply.text


def test_7_a_dry_run_that_hangs_stops_it(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugins.alert_relay.mitigation.scene._DRY_RUN_SECONDS", 0.05)
    monkeypatch.setattr("plugins.alert_relay.mitigation.actuator.GRACE", 0.0)
    kit.executors.fake.hang("plan")
    fire(kit)
    press(kit)
    assert "The dry run failed: The executor 'fake' did not come back within 0.05 s" in kit.reply.text
    kit.executors.fake.release()


def test_7_observe_only_says_what_it_would_do() -> None:
    with kit_with(mitigation={"observe_only": True}) as kit:
        fire(kit)
        ask(kit)
        assert statuses(kit) == ["requested", "approved", "observed"]
        assert "observe_only is set. It would have been: checkout will be set to 'on'" in message(kit).text
        assert nothing_ran(kit)


# 8 --------------------------------------------------------------------------------------------------


def test_8_one_dialog_is_one_run(kit: Kit) -> None:
    fire(kit)
    press(kit)
    kit.submit({}, user="UANN")
    kit.submit({}, user="UANN")
    assert len(kit.executors.fake.ran) == 1
    assert checks(kit) == ["once"]
    assert "was confirmed with this dialog already; nothing was run twice" in kit.reply.text


def test_8_redelivery_is_one_run(kit: Kit) -> None:
    fire(kit)
    done = ask(kit)
    kit.rerun(done)
    kit.rerun()
    assert len(kit.executors.fake.effects) == 1


def test_8_a_replayed_approval_is_one_run(two: Kit) -> None:
    old = message(two).message
    two.click("Approve", user="UBOB")
    two.click("Approve", user="UCAT", message=old)
    assert "was already taken by <@UBOB>" in two.reply.text
    assert len(two.executors.fake.effects) == 1


# 9 --------------------------------------------------------------------------------------------------


def test_9_one_run_per_target_at_a_time() -> None:
    other = declared(name="reboot", title="Reboot checkout", limits={"cooldown": 0})
    with kit_with(RESTART, other) as kit:
        fire(kit)
        ask(kit)
        ask(kit, user="UBOB", label="Reboot checkout")
        assert checks(kit) == ["concurrency"]
        assert "checkout is being acted on already (restart)" in kit.reply.text
        assert len(kit.executors.fake.ran) == 1


def test_9_so_many_runs_per_service_at_a_time() -> None:
    limits = {"cooldown": 0, "per_service": 1}
    with kit_with(declared(parameters={"target": "{{ labels.instance }}"}, limits=limits)) as kit:
        fire(kit)
        ask(kit)
        fire(kit, alert("web-2"), key="g2")
        ask(kit, user="UBOB")
        assert checks(kit) == ["concurrency"]
        assert "1 runs of 'Restart checkout' are open for checkout, which is the limit" in kit.reply.text


# 10 -------------------------------------------------------------------------------------------------


def test_10_cooldown_of_a_target() -> None:
    with kit_with(declared(verify=None, limits={"cooldown": 600})) as kit:
        kit.metrics.set(QUERY, 0.2)
        fire(kit)
        ask(kit)
        kit.advance(minutes=5)
        press(kit, user="UBOB")
        assert checks(kit) == ["cooldown"]
        assert "ran on checkout at 09:00 UTC; it may run there again at 09:10:00 UTC" in kit.reply.text
        kit.advance(minutes=5)
        ask(kit, user="UBOB")
        assert len(kit.executors.fake.ran) == 2


# 11 -------------------------------------------------------------------------------------------------


def three(kit: Kit) -> None:
    fire(kit, alert("web-1"), alert("web-2"), alert("web-3"))


def test_11_blast_radius_in_targets() -> None:
    with kit_with(declared(parameters={"target": "{{ labels.instance }}"}, limits={"targets": 2})) as kit:
        three(kit)
        press(kit)
        assert "It would act on 3 targets; 'Restart checkout' may act on 2." in kit.reply.text
        assert not kit.chat.modals


def test_11_blast_radius_as_a_share_of_the_healthy() -> None:
    limits = {"targets": 3, "share": 0.5}
    with kit_with(declared(parameters={"target": "{{ labels.instance }}"}, limits=limits)) as kit:
        kit.executors.fake.healthy = 5
        three(kit)
        press(kit)
        refused(kit, "blast-radius", "It would act on 3 of 5 healthy members of checkout; 50% is the limit.")
        kit.executors.fake.healthy = 6
        press(kit)
        assert kit.chat.modals


def test_11_one_first_and_the_rest_only_if_that_went_well() -> None:
    with kit_with(declared(parameters={"target": "{{ labels.instance }}"}, limits={"share": 1})) as kit:
        kit.executors.fake.answer("failed", "it would not start")
        three(kit)
        ask(kit)
        assert list(kit.executors.fake.values) == ["web-1"]
        assert "web-2: skipped (left alone: too many targets failed before)" in "".join(thread(kit))
        assert statuses(kit)[-1] == "escalated"


def test_11_the_rest_is_left_alone_when_the_first_did_harm() -> None:
    harm = {**RESTART["verify"], "harm": {"query": "neighbours", "growth": 0.5}}
    with kit_with(
        declared(parameters={"target": "{{ labels.instance }}"}, verify=harm, limits={"share": 1})
    ) as kit:
        kit.metrics.set("neighbours", 0.1)
        run = kit.executors.fake.run

        def hurts(*args: Any, **kwargs: Any) -> Any:
            kit.metrics.set("neighbours", 0.9)
            return run(*args, **kwargs)

        kit.executors.fake.run = hurts
        three(kit)
        ask(kit)
        assert list(kit.executors.fake.values) == ["web-1"]
        assert "the harm metric went from 0.1 to 0.9" in "".join(thread(kit))


# 12 -------------------------------------------------------------------------------------------------


def again(kit: Kit, times: int) -> None:
    for _ in range(times):
        ask(kit)
        kit.advance(minutes=1)


def test_12_rate_of_one_action_counts_attempts() -> None:
    with kit_with(declared(verify=None, limits={"cooldown": 0, "per_hour": 2})) as kit:
        kit.executors.fake.answer("failed")
        fire(kit)
        again(kit, 3)
        assert len(kit.executors.fake.effects) >= 2
        assert checks(kit)[0] == "rate"
        assert "There were 2 attempts of 'Restart checkout' within an hour" in kit.reply.text
        kit.advance(hours=1)
        ask(kit)
        assert [r.data["status"] for r in kit.records("mitigation")].count("running") == 3


def test_12_rate_of_a_service() -> None:
    with kit_with(declared(verify=None, limits={"cooldown": 0}), mitigation={"per_service_hour": 1}) as kit:
        fire(kit)
        again(kit, 2)
        assert "There were 1 attempts for checkout within an hour" in kit.reply.text


def test_12_the_breaker_trips_to_observe_only() -> None:
    with kit_with(declared(verify=None, limits={"cooldown": 0}), mitigation={"per_hour": 1}) as kit:
        fire(kit)
        again(kit, 2)
        assert checks(kit)[0] == "rate"
        kit.advance(hours=2)
        ask(kit)
        assert statuses(kit)[-1] == "observed"
        assert "too many attempts within an hour, by the circuit breaker" in message(kit).text
        kit.command("/signalbox mitigations resume", user="UANN")
        ask(kit)
        assert len(kit.executors.fake.ran) == 2


# 13 -------------------------------------------------------------------------------------------------


def test_13_a_freeze() -> None:
    freeze = {
        "start": START,
        "end": START + timedelta(hours=1),
        "reason": "the sale",
        "services": ["checkout"],
    }
    with kit_with(mitigation={"freezes": [freeze]}) as kit:
        fire(kit)
        press(kit)
        refused(kit, "window", "Nothing is run until 2026-03-02 10:00 UTC: the sale.")
        kit.advance(hours=1)
        press(kit)
        assert kit.chat.modals


def test_13_hours_of_the_week() -> None:
    with kit_with(declared(hours={"start": "10:00", "end": "16:00", "zone": "Europe/Berlin"})) as kit:
        fire(kit)
        kit.advance(hours=7)
        press(kit)
        refused(kit, "window", "runs from 10:00 to 16:00 Europe/Berlin (mon, tue, wed, thu, fri) only")


# 14 -------------------------------------------------------------------------------------------------


def test_14_no_answer_in_time_is_unknown_and_never_repeated(kit: Kit) -> None:
    kit.executors.fake.answer("running", "started")
    kit.executors.fake.become("running")
    fire(kit)
    ask(kit)
    later(kit, 310)
    assert statuses(kit)[-1] == "unknown"
    assert "no answer within 300 s" in message(kit).text
    assert message(kit).buttons[-2:] == ["It worked", "It did not"]
    assert len(kit.executors.fake.effects) == 1


def test_14_a_run_whose_answer_comes_late_goes_on(kit: Kit) -> None:
    kit.executors.fake.answer("running", "started")
    kit.executors.fake.become("running")
    fire(kit)
    ask(kit)
    later(kit, 60)
    assert statuses(kit)[-1] == "running"
    kit.executors.fake.become("done", "it is up")
    later(kit, 10)
    assert statuses(kit)[-1] == "verifying"
    assert len(kit.executors.fake.effects) == 1


# 15 -------------------------------------------------------------------------------------------------


def test_15_kill_switch_by_command(kit: Kit) -> None:
    fire(kit)
    kit.grant("UEVE", "alerts.*")
    assert kit.command("/signalbox mitigations stop", user="UEVE").refused
    kit.command("/signalbox mitigations stop the database is moved", user="UANN")
    press(kit)
    refused(kit, "kill-switch", "Mitigations are stopped: the database is moved, by uann.")
    kit.command("/signalbox mitigations resume", user="UANN")
    ask(kit)
    assert kit.executors.fake.values == {"checkout": "on"}


def test_15_kill_switch_by_file(tmp_path: Path) -> None:
    with kit_with(settings={"data_dir": tmp_path}) as kit:
        fire(kit)
        (tmp_path / "mitigations.stop").touch()
        press(kit)
        refused(kit, "kill-switch", "the file mitigations.stop is there")


def test_15_kill_switch_stops_what_was_approved_already() -> None:
    with kit_with(declared(approvals=1)) as kit:
        fire(kit)
        ask(kit)
        kit.command("/signalbox mitigations stop", user="UANN")
        kit.click("Approve", user="UBOB")
        refused(kit, "kill-switch", "Mitigations are stopped")


def test_15_a_switch_that_can_not_be_read_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with kit_with(
        settings={"data_dir": tmp_path / "file"}
    ) as kit:  # not a folder: the file can't be looked for
        fire(kit)
        press(kit)
        refused(kit, "kill-switch", "the switch's file can't be read")


def test_15_a_switch_of_unknown_word_stops_everything(kit: Kit) -> None:
    Documents(kit.kernel.db, "alert-relay", kit.clock).put("mitigation-switch", {"mode": "maybe"})
    fire(kit)
    press(kit)
    refused(kit, "kill-switch", "the switch says 'maybe', which nobody knows")


# 16 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "ends"),
    [(0.01, "succeeded"), (0.2, "rolled_back"), (None, "unknown")],
    ids=["recovered", "not recovered", "no data"],
)
def test_16_verify_has_three_verdicts(kit: Kit, value: float | None, ends: str) -> None:
    fire(kit)
    ask(kit)
    kit.metrics.set(QUERY, value)
    later(kit, 400)
    assert statuses(kit)[-1] == ends


def test_16_the_baseline_is_taken_before(kit: Kit) -> None:
    fire(kit)
    ask(kit)
    kit.metrics.set(QUERY, 0.01)
    later(kit, 100)
    assert "0.2 before, 0.01 now" in message(kit).text


def test_16_harm_ends_it_at_once() -> None:
    harm = {**RESTART["verify"], "harm": {"query": "neighbours", "growth": 0.5}}
    with kit_with(declared(verify=harm)) as kit:
        kit.metrics.set("neighbours", 0.1)
        fire(kit)
        ask(kit)
        kit.metrics.set("neighbours", 0.9)
        later(kit, 40)
        assert statuses(kit)[-2:] == ["failed", "rolled_back"]
        assert "it did harm: neighbours went from 0.1 to 0.9" in "".join(thread(kit))


# 17 -------------------------------------------------------------------------------------------------


def test_17_what_did_not_help_is_undone(kit: Kit) -> None:
    kit.executors.fake.values["checkout"] = "before"
    fire(kit)
    ask(kit)
    later(kit, 400)
    assert statuses(kit)[-2:] == ["failed", "rolled_back"]
    assert kit.executors.fake.values == {"checkout": "before"}


def test_17_what_can_not_be_undone_is_escalated_with_all_that_was_tried() -> None:
    oncall = {"escalate_to": "web", "oncall": {"web": {"users": ["UDAY"]}}}
    with kit_with(**oncall) as kit:
        kit.executors.fake.reversible = False
        fire(kit)
        ask(kit)
        later(kit, 400)
        assert statuses(kit)[-2:] == ["failed", "escalated"]
        said = thread(kit)
        assert any("Tried: checkout: done (checkout was set.)" in line for line in said)
        assert any(line.startswith(":rotating_light: <@UDAY>") for line in said)


def test_17_undoing_can_fail_too(kit: Kit) -> None:
    fire(kit)
    ask(kit)
    kit.executors.fake.answer("failed", "no way back")
    later(kit, 400)
    assert statuses(kit)[-1] == "escalated"
    assert "undoing it failed: checkout: failed (no way back)" in message(kit).text


def test_17_a_stop_also_keeps_from_undoing(kit: Kit) -> None:
    fire(kit)
    ask(kit)
    kit.command("/signalbox mitigations stop", user="UANN")
    later(kit, 400)
    assert statuses(kit)[-1] == "escalated"
    assert "it was not undone, because mitigations are stopped" in message(kit).text
    assert kit.executors.fake.values == {"checkout": "on"}


# 18 -------------------------------------------------------------------------------------------------


AUTO = declared(auto={"after": 0, "hours": None, "failures": 2, "per_hour": 99}, limits={"cooldown": 0})


def episode(kit: Kit, minutes: float = 40) -> None:
    """The alert fires, nothing helps, it ends much later."""
    fire(kit)
    later(kit, 420)
    kit.alerts.set([])
    kit.advance(minutes=1)
    kit.tick("reconcile")
    kit.advance(minutes=minutes)


def test_18_what_keeps_failing_runs_no_more_by_itself() -> None:
    with kit_with(AUTO) as kit:
        kit.command("/signalbox mitigations auto restart on", user="UANN")
        for _ in range(3):
            episode(kit)
        assert statuses(kit).count("running") == 2
        assert "ineffective" in checks(kit)
        assert any("did not help 2 times on checkout: a person has to look" in line for line in thread(kit))


def test_18_what_keeps_failing_gets_a_ticket_once() -> None:
    with kit_with(AUTO, ticket_project="SUP") as kit:
        kit.command("/signalbox mitigations auto restart on", user="UANN")
        for _ in range(2):
            episode(kit)
        fire(kit)
        later(kit, 420)
        [ticket] = kit.tickets.search("").tickets
        assert "restart runs no more by itself" in ticket.description
        assert "did not help 2 times on checkout: a person has to look" in ticket.description
        assert any("Signalbox created" in line for line in thread(kit))


def test_18_a_ticket_that_is_there_hears_of_it() -> None:
    with kit_with(AUTO, ticket_project="SUP") as kit:
        kit.command("/signalbox mitigations auto restart on", user="UANN")
        for _ in range(2):
            episode(kit)
        kit.command("/signalbox mitigations auto restart off", user="UANN")
        fire(kit)
        kit.choose("More…", "ticket", user="UANN")
        [ticket] = kit.tickets.search("").tickets
        kit.command("/signalbox mitigations auto restart on", user="UANN")
        later(kit, 420)
        assert kit.tickets.search("").tickets == (ticket,)
        assert any("runs no more by itself" in text for text in kit.tickets.comments(ticket.key))


def test_18_a_person_may_still_run_it() -> None:
    with kit_with(AUTO) as kit:
        kit.command("/signalbox mitigations auto restart on", user="UANN")
        for _ in range(2):
            episode(kit)
        fire(kit)
        ask(kit)
        assert statuses(kit).count("running") == 3


def test_18_auto_starts_paused_and_a_person_turns_it_on() -> None:
    with kit_with(AUTO) as kit:
        fire(kit)
        later(kit, 60)
        assert statuses(kit) == []
        kit.grant("UEVE", "mitigation.run")
        assert kit.command("/signalbox mitigations auto restart on", user="UEVE").refused
        kit.command("/signalbox mitigations auto restart on", user="UANN")
        later(kit, 10)
        assert statuses(kit) == ["requested", "approved", "running", "verifying"]
        assert "asked by no person" in message(kit).text


def test_18_auto_has_stricter_limits() -> None:
    strict = declared(
        auto={"after": 300}, parameters={"target": "{{ labels.instance }}"}, limits={"targets": 3, "share": 1}
    )
    with kit_with(strict) as kit:
        kit.command("/signalbox mitigations auto restart on", user="UANN")
        three(kit)
        later(kit, 120)
        assert statuses(kit) == []
        later(kit, 240)
        assert checks(kit)[-1] == "blast-radius"
        assert nothing_ran(kit)
        assert len([c for c in checks(kit) if c == "blast-radius"]) == 1


def test_18_auto_keeps_business_hours() -> None:
    with kit_with(declared(auto={"after": 0})) as kit:
        kit.command("/signalbox mitigations auto restart on", user="UANN")
        kit.advance(hours=10)
        fire(kit)
        later(kit, 30)
        assert checks(kit)[-1] == "window"
        assert nothing_ran(kit)


def test_18_auto_runs_once_what_refused_it_is_over() -> None:
    with kit_with(declared(auto={"after": 0, "hours": None})) as kit:
        kit.command("/signalbox mitigations auto restart on", user="UANN")
        kit.command("/signalbox mitigations stop", user="UANN")
        fire(kit)
        later(kit, 1200)
        assert checks(kit) == ["kill-switch"]
        kit.command("/signalbox mitigations resume", user="UANN")
        later(kit, 70)
        assert statuses(kit) == ["requested", "approved", "running", "verifying"]


def test_18_auto_must_be_verified() -> None:
    with pytest.raises(ValidationError, match="auto needs verify"):
        AlertRelayConfig(mitigations=[declared(auto={}, verify=None)])  # type: ignore[arg-type]


# 19 -------------------------------------------------------------------------------------------------


def test_19_audit_has_who_what_why_and_what_came_of_it() -> None:
    secret = declared(approvals=1)
    with kit_with(secret) as kit:
        fire(kit)
        ask(kit)
        kit.click("Approve", user="UBOB")
        kit.metrics.set(QUERY, 0.0)
        later(kit, 120)
        rows = [row for row in kit.audit if row.action.startswith("mitigation.")]
        assert [row.action.partition(".")[2] for row in rows] == statuses(kit)
        last = rows[-1]
        assert last.before == {"status": "verifying", "baseline": 0.2}
        for key in ("policy", "binding", "parameters_hash", "dry_run", "results", "verdict"):
            assert last.after[key], key
        assert last.after["requested_by"] == "UANN"
        assert last.after["approved_by"] == ["UBOB"]
        assert [row.actor for row in rows][:2] == ["UANN", "UBOB"]


def test_19_secrets_are_masked() -> None:
    given = {"api_token": "s3cret", "body": {"Password": "x", "size": 3}, "url": "http://a"}
    assert masked(given) == {"api_token": "***", "body": {"Password": "***", "size": 3}, "url": "http://a"}


def test_19_nothing_runs_when_it_can_not_be_audited(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    fire(kit)
    press(kit)
    monkeypatch.setattr(
        Audit, "record", lambda *a, **k: (_ for _ in ()).throw(Transient("The disk is full."))
    )
    kit.submit({}, user="UANN")
    kit.settle()
    assert nothing_ran(kit)


# 20 -------------------------------------------------------------------------------------------------


def test_20_paging_goes_on_while_a_mitigation_runs() -> None:
    oncall = {"escalate_minutes": 5, "escalate_to": "web", "oncall": {"web": {"users": ["UDAY"]}}}
    with kit_with(**oncall) as kit:
        kit.executors.fake.answer("running")
        kit.executors.fake.become("running")
        fire(kit)
        ask(kit)
        kit.advance(minutes=5)
        kit.tick("reconcile")
        assert any("<@UDAY>" in line and "nobody has acknowledged it" in line for line in thread(kit))
