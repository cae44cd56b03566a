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


class TestMitigations(Conformance):
    plugin = AlertRelay
    config: ClassVar[Mapping[str, Any]] = {"mitigations": [RESTART, AGREED, LOST, BY_ITSELF]}
    elsewhere = frozenset(method for method, _ in AlertRelay.declarations()) - MITIGATION_METHODS

    def prepare(self, kit: Kit) -> None:
        """A request that waits for agreement, a run that nobody knows about, an open dialog."""
        for user in ("U1", "UANN", "UADMIN"):
            kit.grant(user, "*")
        kit.executors.add("lost").answer("unknown", "it did not say")
        kit.metrics.set(QUERY, 0.2)
        fire(kit)
        ask(kit, label="Restart lost")
        ask(kit, label="Restart slowly")
        kit.command("/signalbox mitigations auto by-itself on", user="UADMIN")
        kit.chat.fail(Permanent("Slack refused views.open: expired_trigger_id."), on="open_modal")
        press(kit, user="U1")
        press(kit, user="U1")

    def samples(self) -> Samples:
        return {
            "a press": lambda kit: kit.click("Restart checkout"),
            "a confirmation": lambda kit: kit.submit({}),
            "a confirmation in a message": lambda kit: kit.click("Run it"),
            "an approval": lambda kit: kit.click("Approve"),
            "a rejection": lambda kit: kit.click("Reject"),
            "it worked": lambda kit: kit.click("It worked"),
            "it did not": lambda kit: kit.click("It did not"),
        }
