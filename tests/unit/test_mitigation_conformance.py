"""What holds for every plugin holds for mitigations too: told once, run once, killed anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from mitigation_samples import MITIGATION_METHODS, QUERY, RESTART, ask, declared, fire, press

from bot.plugin import Permanent
from bot.testing import Conformance, Kit
from bot.testing.conformance import Samples
from plugins.alert_relay import AlertRelay

pytestmark = pytest.mark.unit
AGREED = declared(name="agreed", title="Restart slowly", approvals=1, parameters={"target": "slow"})
LOST = declared(name="lost", title="Restart lost", executor="lost", parameters={"target": "lost"})
BY_ITSELF = declared(
    name="by-itself",
    title="Restart by itself",
    parameters={"target": "auto"},
    auto={"after": 0, "hours": None},
)


METHODS = frozenset(method for method, _ in AlertRelay.declarations())
SETUP = "Slack refused views.open: expired_trigger_id."


def all_but(*methods: str) -> frozenset[str]:
    assert set(methods) <= MITIGATION_METHODS
    return METHODS - set(methods)


class _Mitigations(Conformance):
    """Several suites, each with as little as its samples live on: they are run some hundred times."""

    plugin = AlertRelay
    __test__ = False

    def prepare(self, kit: Kit) -> None:
        for user in ("U1", "UANN", "UADMIN"):
            kit.grant(user, "*")
        kit.metrics.set(QUERY, 0.2)
        fire(kit)


class TestAsking(_Mitigations):
    __test__ = True
    config: ClassVar[Mapping[str, Any]] = {"mitigations": [RESTART]}
    elsewhere = all_but("ask_for_mitigation", "mitigations")

    def samples(self) -> Samples:
        return {"a press": lambda kit: kit.click("Restart checkout")}


class TestConfirming(_Mitigations):
    __test__ = True
    config: ClassVar[Mapping[str, Any]] = {"mitigations": [RESTART]}
    elsewhere = all_but("confirm_mitigation", "drive_mitigation", "tell_of_mitigation")

    def prepare(self, kit: Kit) -> None:
        super().prepare(kit)
        press(kit, user="U1")

    def samples(self) -> Samples:
        return {"a confirmation": lambda kit: kit.submit({})}


class TestConfirmingInAMessage(_Mitigations):
    __test__ = True
    config: ClassVar[Mapping[str, Any]] = {"mitigations": [RESTART]}
    elsewhere = all_but("confirm_late_mitigation")

    def prepare(self, kit: Kit) -> None:
        super().prepare(kit)
        kit.chat.fail(Permanent(SETUP), on="open_modal")
        press(kit, user="U1")

    def samples(self) -> Samples:
        return {"a confirmation": lambda kit: kit.click("Run it")}


class TestDeciding(_Mitigations):
    __test__ = True
    config: ClassVar[Mapping[str, Any]] = {"mitigations": [AGREED]}
    elsewhere = all_but("approve_mitigation", "reject_mitigation")

    def prepare(self, kit: Kit) -> None:
        super().prepare(kit)
        ask(kit, label="Restart slowly")

    def samples(self) -> Samples:
        return {
            "an approval": lambda kit: kit.click("Approve"),
            "a rejection": lambda kit: kit.click("Reject"),
        }


class TestJudging(_Mitigations):
    __test__ = True
    config: ClassVar[Mapping[str, Any]] = {"mitigations": [LOST]}
    elsewhere = all_but("mitigation_worked", "mitigation_failed")

    def prepare(self, kit: Kit) -> None:
        """A run that nobody knows about."""
        super().prepare(kit)
        kit.executors.add("lost").answer("unknown", "it did not say")
        ask(kit, label="Restart lost")

    def samples(self) -> Samples:
        return {
            "it worked": lambda kit: kit.click("It worked"),
            "it did not": lambda kit: kit.click("It did not"),
        }


class TestByItself(_Mitigations):
    __test__ = True
    config: ClassVar[Mapping[str, Any]] = {"mitigations": [BY_ITSELF]}
    elsewhere = all_but("look_after_mitigations", "start_mitigation")

    def prepare(self, kit: Kit) -> None:
        super().prepare(kit)
        kit.command("/signalbox mitigations auto by-itself on", user="UADMIN")


def test_every_method_has_its_suite() -> None:
    suites = (TestAsking, TestConfirming, TestConfirmingInAMessage, TestDeciding, TestJudging, TestByItself)
    assert frozenset.union(*(METHODS - suite.elsewhere for suite in suites)) == MITIGATION_METHODS
