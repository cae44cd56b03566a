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
