from __future__ import annotations

from signalbox_deploys import Deploys

from bot.plugin import Hook
from bot.testing import Conformance, Kit, Samples

HOOK = Hook(name="deploys", data={"service": "shop", "version": "1.4.2", "by": "mia"})


def test_a_deployment_is_posted_and_judged_once() -> None:
    with Kit(Deploys) as kit:
        kit.grant("U1", "deploys.*")
        kit.grant("U2", "deploys.*")
        kit.event("generic.deploys", HOOK)
        kit.click("Looks good", user="U1")
        kit.click("Looks bad", user="U2")
        assert [row.after for row in kit.audit if row.action == "deploys.judged"] == ["good"]


def test_without_the_permission_nobody_judges() -> None:
    with Kit(Deploys) as kit:
        kit.event("generic.deploys", HOOK)
        kit.click("Looks good", user="U3")
        assert not [row for row in kit.audit if row.action == "deploys.judged"]


def test_a_body_that_is_none_becomes_a_dead_letter() -> None:
    with Kit(Deploys) as kit:
        kit.event("generic.deploys", Hook(name="deploys", data={"servic": "shop"}))
        assert "service" in kit.deadletters[0].error


class TestDeploys(Conformance):
    plugin = Deploys

    def prepare(self, kit: Kit) -> None:
        kit.grant("U1", "deploys.*")
        kit.event("generic.deploys", HOOK)

    def samples(self) -> Samples:
        newer = Hook(name="deploys", data={"service": "shop", "version": "1.4.3"})
        return {
            "a deployment": lambda kit: kit.event("generic.deploys", newer),
            "good": lambda kit: kit.click("Looks good", user="U1"),
            "bad": lambda kit: kit.click("Looks bad", user="U1"),
        }
