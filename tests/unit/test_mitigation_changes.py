"""A mitigation that acts leaves a change record: authorised before, ended with what came of it."""

from __future__ import annotations

import pytest
from mitigation_samples import QUERY, ask, declared, fire, kit_with, later, message, statuses

from bot.core.service_desk import as_model
from bot.plugin import Change
from bot.testing import Kit

pytestmark = pytest.mark.unit
NO_TEMPLATES = {"records": {"templates": []}}


def changes(kit: Kit) -> list[Change]:
    return [as_model(record) for record in kit.kernel.ledger.find(record_type="change")]  # type: ignore[misc]


def test_one_that_helped_is_a_standard_change_that_closes_itself() -> None:
    with kit_with() as kit:
        fire(kit)
        ask(kit)
        assert [change.status for change in changes(kit)] == ["implementing"]
        kit.metrics.set(QUERY, 0.01)
        later(kit, 120)
        [change] = changes(kit)
        assert (change.change_type, change.status, change.ended_as) == ("standard", "closed", "implemented")
        assert (change.initiator, change.before["metric"], change.after["metric"]) == ("UANN", 0.2, 0.01)
        assert change.authorisation[0].authority == "template mitigation-within-guardrails"
        assert {item.type for item in change.items} == {"config", "service"}
        assert kit.kernel.ledger.faults() == []


def test_one_that_was_undone_is_backed_out_and_owes_a_review() -> None:
    with kit_with() as kit:
        fire(kit)
        ask(kit)
        later(kit, 500)
        assert statuses(kit)[-1] == "rolled_back"
        [change] = changes(kit)
        assert (change.status, change.ended_as) == ("backed_out", "backed_out")
        assert "Undone" in change.outcome


def test_one_that_could_not_be_undone_failed() -> None:
    with kit_with(declared(inverse=False)) as kit:
        fire(kit)
        ask(kit)
        later(kit, 500)
        [change] = changes(kit)
        assert change.status == "failed"


def test_what_never_acted_changed_nothing() -> None:
    with kit_with(mitigation={"observe_only": True}) as kit:
        fire(kit)
        ask(kit)
        assert statuses(kit)[-1] == "observed"
        assert changes(kit) == []


def test_without_the_template_nobody_acts_alone() -> None:
    with kit_with(settings=NO_TEMPLATES) as kit:
        fire(kit)
        ask(kit)
        assert statuses(kit)[-1] == "refused"
        assert not kit.executors.fake.ran
        assert changes(kit) == []


def test_without_the_template_the_second_persons_word_authorises_a_normal_change() -> None:
    with kit_with(declared(approvals=1), settings=NO_TEMPLATES) as kit:
        fire(kit)
        ask(kit)
        assert "Approve" in message(kit).buttons
        kit.click("Approve", user="UBOB")
        [change] = changes(kit)
        assert (change.change_type, change.status, change.initiator) == ("normal", "implementing", "UANN")
        assert [word.authority for word in change.authorisation] == ["UBOB"]


def test_the_switches_are_changes_with_their_way_back() -> None:
    with kit_with() as kit:
        kit.grant("UANN", "mitigation.control")
        kit.command("/signalbox mitigations stop the database is moved", user="UANN")
        kit.command("/signalbox mitigations resume", user="UANN")
        resumed, stopped = changes(kit)
        for change in (stopped, resumed):
            assert (change.change_type, change.status, change.initiator) == (
                "emergency",
                "implemented",
                "UANN",
            )
        assert (stopped.reason, stopped.before, stopped.after) == (
            "the database is moved",
            {"mode": "run"},
            {"mode": "stop"},
        )
        assert "mitigations resume" in stopped.backout_plan
        assert "mitigations stop" in resumed.backout_plan
        assert kit.kernel.ledger.faults() == []


def test_that_one_may_run_by_itself_is_a_standard_change_and_needs_its_template() -> None:
    with kit_with(declared(auto={})) as kit:
        kit.grant("UANN", "mitigation.control")
        name = declared()["name"]
        kit.command(f"/signalbox mitigations auto {name} on", user="UANN")
        kit.command(f"/signalbox mitigations auto {name} off", user="UANN")
        off, on = changes(kit)
        assert (on.change_type, on.status) == ("standard", "closed")
        assert (off.change_type, off.status) == ("emergency", "implemented")
    with kit_with(declared(auto={}), settings=NO_TEMPLATES) as kit:
        kit.grant("UANN", "mitigation.control")
        kit.command(f"/signalbox mitigations auto {name} on", user="UANN")
        assert "records.templates" in kit.reply.text
        assert changes(kit) == []


def test_from_a_line_to_rule_figures_and_who_agreed_in_three_hops() -> None:
    with kit_with(declared(approvals=1)) as kit:
        fire(kit)
        ask(kit)
        kit.click("Approve", user="UBOB")
        kit.metrics.set(QUERY, 0.01)
        later(kit, 120)
        title = declared()["title"]
        assert title in message(kit).text, "the line names it"
        [change] = [found for found in changes(kit) if title in found.title]  # the first hop
        rule, *targets = change.items  # the second: rule with its version, targets, figures, people
        assert (rule.name, bool(rule.version)) == (f"mitigation {declared()['name']}", True)
        assert [target.type for target in targets] == ["service"]
        assert (change.before["metric"], change.after["metric"]) == (0.2, 0.01)
        assert change.evidence["approved_by"] == ["UBOB"]
