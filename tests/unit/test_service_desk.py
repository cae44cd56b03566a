"""A plugin proposes a change by a command; somebody else authorises it with a button."""

from __future__ import annotations

import pytest

from bot.plugin import (
    Actions,
    Button,
    Click,
    Command,
    Context,
    Message,
    Plugin,
    Section,
    Tick,
    action,
    command,
    schedule,
)  # fmt: skip
from bot.testing import Kit

pytestmark = pytest.mark.unit


class Promoter(Plugin):
    name = "promoter"

    @command("promote", permission="models.promote")
    def promote(self, command: Command, ctx: Context) -> None:
        change = ctx.changes.propose(
            "normal", "Promote 4", reason="Better.", plan="Move the alias.", backout_plan="Move it back."
        )
        button = Button(text="Approve", action="approve", args={"change": change.id})
        ctx.reply(Message(text="?", blocks=(Section(text="?"), Actions(elements=(button,)))))

    @action("approve", permission="models.approve")
    def approve(self, click: Click, ctx: Context) -> str:
        change = ctx.changes.authorise(click.args["change"])
        ctx.changes.begin(change.id)
        ctx.changes.end(change.id, after={"champion": 4})
        return "promoted"

    @schedule("0 3 * * *")
    def nightly(self, tick: Tick, ctx: Context) -> None:
        ctx.service_records.event("informational", "batch.scored", "Scored", value=7.0)


def test_who_proposed_may_not_approve_and_somebody_else_may() -> None:
    with Kit(Promoter) as kit:
        kit.grant("U1", "models.*")
        kit.grant("U2", "models.*")
        kit.command("/signalbox promote", user="U1")
        assert kit.click("Approve", user="U1").refused
        kit.click("Approve", user="U2")
        [change] = kit.kernel.ledger.find(record_type="change")
        assert change.status == "implemented"
        assert [a["authority"] for a in change.body["authorisation"]] == ["U2"]
        assert kit.kernel.audit.verify().ok
        assert kit.kernel.ledger.faults() == []


def test_the_clock_is_named_as_the_one_who_acts() -> None:
    with Kit(Promoter) as kit:
        kit.tick("nightly")
        [version] = kit.kernel.ledger.history()
        assert version["actor"] == {"type": "scheduler", "id": "plugin:promoter", "via": "cron"}
        assert version["trace_id"]
