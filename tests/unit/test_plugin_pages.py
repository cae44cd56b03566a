"""Plugins' pages in the console are made of what they recorded, and need nothing heavy."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.core.context import Context
from bot.core.events import Event, Payload
from bot.plugin import Chart, Page, Table, TicketEvent
from bot.testing import Kit
from plugins.autotag import AutoTag
from plugins.daily_digest import DailyDigest

pytestmark = pytest.mark.unit


def page(kit: Kit) -> Page:
    event = Event("console", "console", "console.page", kit.plugin.name, kit.clock(), "")
    return kit.plugin.page(Context(kit.kernel, event, next(kit.plugin.handlers()), Payload()))


def table(found: Page, title: str) -> Table:
    return next(part for part in found.parts if isinstance(part, Table) and part.title == title)


def chart(found: Page, title: str) -> Chart:
    return next(part for part in found.parts if isinstance(part, Chart) and part.title == title)


@pytest.mark.parametrize("plugin", [AutoTag, DailyDigest])
def test_a_page_says_what_would_stand_there(plugin) -> None:
    with Kit(plugin) as kit:
        found = page(kit)
        assert found.title == plugin.page_title
        assert all(part.empty for part in found.parts if isinstance(part, Table))
        assert all(part.alt for part in found.parts if isinstance(part, Chart))


def test_tickets_are_counted_and_suggestions_wait(tmp_path_factory: pytest.TempPathFactory) -> None:
    models: Path = tmp_path_factory.getbasetemp() / "page-models"
    with Kit(AutoTag, config={"cache_dir": models}) as kit:
        kit.grant("ULENA", "tags.write")
        for key, words in {
            "SUP-1": "I was charged twice, please refund my money",
            "SUP-2": "The invoice app crashes when I log in",
        }.items():
            event = TicketEvent(ticket=kit.tickets.add(key, words))
            kit.event("ticket.created", event, subject=key, serial=key)
        assert [str(row[0].text) for row in table(page(kit), "Waiting for a review in Slack").rows] == [
            "SUP-2"
        ]
        kit.choose("Wrong? Choose the right one", "delivery", user="ULENA")
        rows = table(page(kit), "Accuracy by category").rows
        assert rows == (("payment-refund", "0%", "1"),)
        confused = table(page(kit), "What was said, and what people say it is")
        assert confused.columns == ("Said", "delivery")
        assert [(row[0], row[1].text, row[1].tone) for row in confused.rows] == [
            ("payment-refund", "1", "bad")
        ]
        kit.advance(seconds=1)
        lines = dict(chart(page(kit), "Accuracy and coverage week by week").series)
        assert lines["right, of the reviewed"] == (*[None] * 11, 0.0)
        assert lines["tagged unasked"] == (*[None] * 11, 50.0)
