"""Work that one handler leaves for another."""

from __future__ import annotations

import pytest

from bot.core.errands import ErrandSource
from bot.core.errors import BadDelivery
from bot.core.events import Delivery
from bot.plugin import Command, Context, Errand, Plugin, Transient, command, on
from bot.testing import START, Kit

pytestmark = pytest.mark.unit


class Baker(Plugin):
    name = "baker"

    @command("bake", help="Bake bread.", permission=None)
    def bake(self, asked: Command, ctx: Context) -> None:
        ctx.emit("baker.loaf", {"flour": asked.text}, subject="loaf")

    @on("baker.loaf")
    def loaf(self, errand: Errand, ctx: Context) -> None:
        ctx.records.append("loaf", "loaf", errand.data)
        if errand.data["flour"] == "rye":
            raise Transient("The oven is cold.")


def test_an_errand_is_handled_once_however_often_its_giver_runs() -> None:
    with Kit(Baker) as kit:
        given = kit.command("/signalbox bake spelt")
        kit.rerun(given)
        assert [record.data for record in kit.records("loaf")] == [{"flour": "spelt"}]


def test_an_errand_fails_and_is_retried_by_itself() -> None:
    with Kit(Baker) as kit:
        given = kit.command("/signalbox bake rye")
        kit.settle()
        assert given.status == "done"
        assert [run.handler for run in kit.deadletters] == ["baker.loaf"]


def test_nobody_can_deliver_an_errand_from_outside() -> None:
    with pytest.raises(BadDelivery):
        ErrandSource().verify(Delivery("errand", b"{}"), START)
    with pytest.raises(BadDelivery):
        ErrandSource().normalise(Delivery("errand", b"{}"), START)
