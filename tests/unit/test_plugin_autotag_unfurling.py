"""A pasted link to a ticket becomes a card: of the helpdesk's own tickets, and of what everybody may read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.core.errors import Permanent, Transient
from bot.plugin import SharedLinks, TicketEvent, User
from bot.testing import Delivered, Kit, text_of
from integrations.slack.renderer import render
from plugins.autotag import AutoTag

pytestmark = pytest.mark.unit
REFUND = "I was charged twice, please refund my money"
DOUBTFUL = "The invoice app crashes when I log in"
SUP_1 = "https://tickets.example/browse/SUP-1"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def kit(models: Path) -> Iterator[Kit]:
    with Kit(AutoTag, config={"cache_dir": models}) as made:
        made.grant("ULENA", "tags.write")
        yield made


def paste(kit: Kit, *urls: str) -> Delivered:
    shared = SharedLinks(urls=urls, user=User(id="UBOB"), channel="C1", ts="5.1")
    return kit.event("slack.links", shared)


def tagged(kit: Kit, summary: str, **fields: object) -> None:
    ticket = kit.tickets.add("SUP-1", summary, **fields)
    kit.event("ticket.created", TicketEvent(ticket=ticket), subject="SUP-1")


def test_a_tagged_ticket_shows_its_tag_and_how_sure_the_bot_was(kit: Kit) -> None:
    tagged(kit, REFUND, priority="High", labels=("vip",), reporter="Eve", description="My card is 4111.")
    paste(kit, f"{SUP_1}?focusedId=1&amp;x=2")
    [(url, card)] = kit.chat.cards.items()
    assert url == f"{SUP_1}?focusedId=1&amp;x=2"
    shown = text_of(card)
    for part in (REFUND, "Open", "priority High", "vip", "payment-refund", "% sure"):
        assert part in shown
    assert f"<{SUP_1}|SUP-1>" in card.model_dump_json()
    assert "4111" not in card.model_dump_json()
    assert "Eve" not in card.model_dump_json()


def test_a_doubtful_ticket_shows_what_is_asked_until_it_is_answered(kit: Kit) -> None:
    tagged(kit, DOUBTFUL)
    paste(kit, SUP_1)
    assert "Signalbox asks" in text_of(kit.chat.cards[SUP_1])
    kit.click("None of these", user="ULENA")
    paste(kit, SUP_1)
    assert "Signalbox" not in text_of(kit.chat.cards[SUP_1])


def test_a_tag_that_somebody_took_away_is_not_told(kit: Kit) -> None:
    tagged(kit, REFUND)
    kit.tickets.relabel("SUP-1")
    paste(kit, SUP_1)
    assert "Signalbox" not in text_of(kit.chat.cards[SUP_1])


@pytest.mark.parametrize(
    "url",
    [
        "https://tickets.example/browse/SUP-404",
        "https://evil.example/browse/SUP-1",
        "https://tickets.example@evil.example/browse/SUP-1",
        "https://tickets.example/admin/SUP-1",
    ],
)
def test_what_is_no_ticket_here_has_no_card_and_leaves_nothing(kit: Kit, url: str) -> None:
    kit.tickets.add("SUP-1", REFUND)
    delivered = paste(kit, url)
    assert delivered.status == "done"
    assert kit.chat.cards == {}
    assert kit.chat.effects == []
    asked = [call.arguments.get("key") for call in kit.tickets.calls]
    assert asked in ([], ["SUP-404"])


def test_texts_stay_texts(kit: Kit) -> None:
    kit.tickets.add(
        "SUP-1", "<!channel> *bold* <https://evil.example|click>", labels=("<@U1>",), status="<b>"
    )
    paste(kit, SUP_1)
    shown = str(render(kit.chat.cards[SUP_1], "r").blocks)
    assert "<!channel>" not in shown
    assert "<https://evil.example" not in shown
    assert "<@U1>" not in shown


def test_a_ticket_that_only_some_may_see_has_no_card(kit: Kit) -> None:
    kit.tickets.add("SUP-1", REFUND, restricted=True)
    paste(kit, SUP_1)
    assert kit.chat.cards == {}


def test_five_cards_are_enough(kit: Kit) -> None:
    for number in range(1, 8):
        kit.tickets.add(f"SUP-{number}", REFUND)
    paste(kit, *(f"https://tickets.example/browse/SUP-{number}" for number in range(1, 8)))
    assert len(kit.chat.cards) == 5


def test_other_projects_and_no_cards_at_all(models: Path) -> None:
    for config in ({"projects": ["OPS"]}, {"unfurl": False}):
        with Kit(AutoTag, config={"cache_dir": models, **config}) as kit:
            kit.tickets.add("SUP-1", REFUND)
            paste(kit, SUP_1)
            assert kit.chat.cards == {}


def test_a_helpdesk_that_is_away_delays_the_card(kit: Kit) -> None:
    kit.tickets.add("SUP-1", REFUND)
    kit.tickets.fail(Transient("The helpdesk is away."))
    paste(kit, SUP_1)
    assert kit.chat.cards == {}
    kit.settle()
    assert SUP_1 in kit.chat.cards


def test_a_ticket_that_the_bot_may_not_see_is_passed_over(kit: Kit) -> None:
    for key in ("SUP-1", "SUP-2"):
        kit.tickets.add(key, REFUND)
    kit.tickets.fail(Permanent("The bot's account may not see it."))
    paste(kit, SUP_1, "https://tickets.example/browse/SUP-2")
    assert list(kit.chat.cards) == ["https://tickets.example/browse/SUP-2"]
