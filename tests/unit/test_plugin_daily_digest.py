"""The digest: the day's counts, once, in the zone that was asked for."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest
from alert_samples import alert, group

from bot.core.errors import ConfigError
from bot.plugin import ChatMessage, Context, Hook, MessageRef, Permanent, Plugin, TicketEvent, User, on
from bot.testing import Conformance, Kit, Samples
from plugins.alert_relay import AlertRelay
from plugins.core import Core
from plugins.daily_digest import DailyDigest
from plugins.daily_digest.config import DailyDigestConfig

pytestmark = pytest.mark.unit


class Faulty(Plugin):
    name = "faulty"

    @on("generic.work")
    def work(self, hook: Hook, ctx: Context) -> None:  # it fails on all
        raise Permanent("It is broken.")

    @on("ticket.created")
    def seen(self, event: TicketEvent, ctx: Context) -> None: ...


@pytest.fixture
def kit() -> Iterator[Kit]:
    with Kit(DailyDigest, beside=[Faulty, AlertRelay]) as made:
        yield made


class TestDailyDigest(Conformance):
    plugin = DailyDigest

    def kit(self) -> Kit:
        return Kit(self.plugin, beside=[Core])

    def prepare(self, kit: Kit) -> None:
        opened(kit, "UANN")

    def samples(self) -> Samples:
        return {"a subscription": lambda kit: kit.click("Send it to me too", user="UANN")}


def happen(kit: Kit) -> None:
    ticket = kit.tickets.add("SUP-1", "A ticket")
    kit.event("ticket.created", TicketEvent(ticket=ticket), subject="SUP-1")
    kit.event("alertmanager.group", group(alert()), subject="g")
    kit.event("generic.work", Hook(name="work", data={}), subject="w")


def test_the_days_counts_are_posted_once(kit: Kit) -> None:
    happen(kit)
    kit.advance(hours=1)
    kit.rerun(kit.tick("post"))
    [shown] = kit.chat.in_channel("#digest")
    assert "1 tickets, 0 tagged, 1 alert groups, 1 dead letters" in shown.message.text
    assert "deadletters" in shown.text


def test_the_day_before_is_compared_and_older_days_are_not_counted(kit: Kit) -> None:
    happen(kit)
    kit.advance(hours=30)
    kit.tick("post")
    [shown] = kit.chat.in_channel("#digest")
    assert "0 tickets" in shown.message.text
    assert "0 (-1)" in shown.text


def test_digest_can_be_asked_for(kit: Kit) -> None:
    happen(kit)
    kit.advance(seconds=1)
    kit.command("/signalbox digest")
    assert "1 tickets" in kit.reply.message.text


def test_a_wrong_zone_stops_the_plugin_with_an_example() -> None:
    plugin = DailyDigest(DailyDigestConfig(zone="Mars/Olympus"))
    with pytest.raises(ConfigError, match=r"Mars/Olympus.*Europe/Berlin"):
        list(plugin.handlers())


def test_who_wants_it_gets_it_as_a_direct_message_too() -> None:
    with Kit(DailyDigest, beside=[Core]) as kit:
        opened(kit, "UANN")
        kit.click("Send it to me too", user="UANN")
        assert "and sent to you too" in opened(kit, "UANN")
        kit.rerun(kit.tick("post"))
        assert [shown.channel for shown in kit.chat.messages] == ["#digest", "UANN"]
        kit.click("Do not send it to me", user="UANN")
        assert "and sent to you too" not in opened(kit, "UANN")
        kit.advance(hours=24)
        kit.tick("post")
        assert [shown.channel for shown in kit.chat.messages] == ["#digest", "UANN", "#digest"]


def test_one_who_can_not_be_written_to_does_not_keep_it_from_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Kit(DailyDigest, beside=[Core]) as kit:
        for user in ("UANN", "UBOB"):
            opened(kit, user)
            kit.click("Send it to me too", user=user)
        upsert = kit.chat.upsert

        @functools.wraps(upsert)
        def refusing(**given: Any) -> MessageRef:
            if given["channel"] == "UANN":
                raise Permanent("This person has left.")
            return upsert(**given)

        monkeypatch.setattr(kit.chat, "upsert", refusing)
        assert kit.tick("post").status == "done"
        assert [shown.channel for shown in kit.chat.messages] == ["#digest", "UBOB"]


def opened(kit: Kit, user: str) -> str:
    said = ChatMessage(text="", user=User(id=user), channel="D1", ts="1")
    kit.event("slack.home", said, subject="D1")
    return str(kit.chat.homes[user])
