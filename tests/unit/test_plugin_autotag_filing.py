"""A message in Slack becomes a ticket: once, by whoever may, and tagged as any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.core.errors import Permanent, Transient
from bot.plugin import MessageRef
from bot.testing import Delivered, Kit
from plugins.autotag import AutoTag

pytestmark = pytest.mark.unit
REFUND = "I was charged twice, please refund my money"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def kit(models: Path) -> Iterator[Kit]:
    with Kit(AutoTag, config={"cache_dir": models, "ticket_project": "SUP"}) as made:
        for user in ("ULENA", "UANN"):
            made.grant(user, "tags.write")
        yield made


def say(kit: Kit, text: str = REFUND) -> MessageRef:
    return kit.chat.say(text, user="UBOB", channel="#general")


def press(kit: Kit, said: MessageRef, user: str = "ULENA", **more: bool) -> Delivered:
    return kit.shortcut("Tag this as a ticket", said, user=user, **more)


def filed(kit: Kit) -> list[str]:
    return [effect.arguments["summary"] for effect in kit.tickets.effects if effect.method == "create"]


def test_a_message_becomes_a_ticket_that_is_tagged(kit: Kit) -> None:
    said = say(kit)
    press(kit, said)
    ticket = kit.tickets.get("SUP-1")
    assert ticket.summary == REFUND
    assert ticket.description == f"-- \nSlack, by ulena: https://chat.example/{said.ts}"
    assert ticket.labels == ("slack", "payment-refund")
    assert list(kit.tickets.links("SUP-1")) == [f"https://chat.example/{said.ts}"]
    assert (kit.reply.user, kit.reply.public) == ("ULENA", False)
    assert "SUP-1" in kit.reply.text
    assert "https://tickets.example/browse/SUP-1" in str(kit.reply.message)
    assert [(row.actor, row.action) for row in kit.audit] == [
        ("ULENA", "tags.file"),
        ("plugin:autotag", "tags.apply"),
    ]


def test_pressed_twice_it_is_one_ticket(kit: Kit) -> None:
    said = say(kit)
    press(kit, said)
    press(kit, said, "UANN")
    assert filed(kit) == [REFUND]
    assert "|SUP-1> already, filed by <@ULENA>" in kit.reply.text


def test_pressed_while_the_helpdesk_is_away_it_is_one_ticket(kit: Kit) -> None:
    said = say(kit)
    kit.tickets.fail(Transient("The helpdesk is away."), on="create")
    press(kit, said)
    press(kit, said, "UANN")
    assert "is being filed already" in kit.reply.text
    kit.settle()
    assert filed(kit) == [REFUND]
    assert "SUP-1" in kit.reply.text


def test_what_failed_for_good_may_be_asked_for_again(kit: Kit) -> None:
    said = say(kit)
    kit.tickets.fail(Permanent("There is no project SUP."), on="create")
    assert press(kit, said).status == "dead"
    assert "There is no project SUP." in kit.reply.text
    press(kit, said, "UANN")
    assert filed(kit) == [REFUND]


@pytest.mark.parametrize(
    ("text", "by_app", "word"),
    [(REFUND, True, "An app wrote this message"), ("", False, "has no text")],
)
def test_what_is_no_ticket_is_refused_in_words(kit: Kit, text: str, by_app: bool, word: str) -> None:
    assert press(kit, say(kit, text), by_app=by_app).refused
    assert word in kit.reply.text
    assert filed(kit) == []


def test_who_may_not_is_told(kit: Kit) -> None:
    assert press(kit, say(kit), "UEVE").refused
    assert "You may not run 'Tag this as a ticket'" in kit.reply.text
    assert kit.reply.user == "UEVE"
    assert filed(kit) == []


def test_without_a_project_it_says_what_to_set(models: Path) -> None:
    with Kit(AutoTag, config={"cache_dir": models}) as kit:
        kit.grant("ULENA", "tags.write")
        assert press(kit, say(kit)).refused
        assert "ticket_project in [plugins.autotag]" in kit.reply.text


def test_where_the_bot_may_not_look_the_ticket_is_filed_without_a_link(kit: Kit) -> None:
    kit.chat.fail(Permanent("The bot is not in this channel."), on="permalink")
    press(kit, say(kit))
    assert kit.tickets.get("SUP-1").description == "-- \nSlack, by ulena"
    assert kit.tickets.links("SUP-1") == {}


def test_a_helpdesk_without_links_still_has_the_address(kit: Kit) -> None:
    kit.tickets.fail(Permanent("This helpdesk has no links."), on="link")
    press(kit, say(kit))
    assert kit.deadletters == []
    assert "https://chat.example/" in kit.tickets.get("SUP-1").description


def test_a_long_message_has_a_short_summary(kit: Kit) -> None:
    press(kit, say(kit, "word " * 100 + "\nmore"))
    ticket = kit.tickets.get("SUP-1")
    assert len(ticket.summary) == 120
    assert ticket.description.startswith("word word")
    assert "\nmore\n\n-- \n" in ticket.description
