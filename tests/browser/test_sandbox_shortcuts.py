"""From a message: a ticket that the bot tags, an entry in an incident's timeline, a card for a link."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.e2e.product import BOB, CAROL, Product

pytestmark = pytest.mark.browser
SLOW_MS = 60_000
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    started = Product(tmp_path_factory.mktemp("shortcuts") / "data").start()
    yield started
    assert started.stop() == 0


def said(page: Page, product: Product, user: str, text: str, channel: str = "C0GENERAL") -> Locator:
    """A message that somebody said, as the page shows it."""
    ts = product.say(user, text, channel)["ts"]
    return page.locator(f".conversation .message[data-ts='{ts}']")


def choose(page: Page, message: Locator, entry: str) -> None:
    message.hover()
    message.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name=entry).click()


def answer(page: Page) -> Locator:
    return page.locator(".conversation .message.is-ephemeral").last


def test_a_message_becomes_a_ticket_with_its_label(product: Product, open_page: Open) -> None:
    page = open_page(product.sandbox)
    message = said(page, product, CAROL, "I was charged twice, please refund my money")
    choose(page, message, "Tag this as a ticket")
    expect(answer(page)).to_contain_text("is filed", timeout=SLOW_MS)
    card = page.locator(".card", has_text="I was charged twice").first
    expect(card.locator(".label.by-bot").first).to_be_visible(timeout=SLOW_MS)
    expect(card).to_contain_text("payment-refund", timeout=SLOW_MS)
    choose(page, message, "Tag this as a ticket")
    expect(answer(page)).to_contain_text("already", timeout=SLOW_MS)
    assert page.locator(".card", has_text="I was charged twice").count() == 1


def test_a_message_joins_the_timeline_of_an_incident(product: Product, open_page: Open) -> None:
    page = open_page(product.sandbox)
    page.get_by_role("button", name="Fire: A disk is filling up").click()
    message = said(page, product, BOB, "I moved the logs to another disk")
    page.locator(".sidebar").get_by_role("button", name="alerts").click()
    expect(page.locator(".conversation .message", has_text="DiskWillFillSoon").last).to_be_visible(
        timeout=SLOW_MS
    )
    page.locator(".sidebar").get_by_role("button", name="general").click()
    choose(page, message, "Add to incident")
    dialog = page.get_by_role("dialog", name="Add to incident")
    expect(dialog).to_contain_text("I moved the logs", timeout=SLOW_MS)
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(answer(page)).to_contain_text("Added to the timeline of INC-", timeout=SLOW_MS)


def test_a_link_to_a_ticket_becomes_a_card(product: Product, open_page: Open) -> None:
    page = open_page(product.sandbox)
    key = product.ticket("Refund <b>please</b>")
    message = said(page, product, BOB, f"Who takes {product.sandbox}/jira/browse/{key}?")
    card = message.locator(".attachment")
    expect(card).to_contain_text(f"{key} Refund <b>please</b>", timeout=SLOW_MS)
    expect(card).to_contain_text("To Do")
    expect(card.get_by_role("link", name=key)).to_have_attribute(
        "href", f"{product.sandbox}/jira/browse/{key}"
    )
    unknown = said(page, product, BOB, f"And {product.sandbox}/jira/browse/SUP-4040?")
    expect(unknown).to_be_visible()
    expect(unknown.locator(".attachment")).to_have_count(0)
    message.hover()
    message.get_by_role("button", name="More actions").click()
    expect(page.get_by_role("menuitem", name="Tag this as a ticket")).to_be_visible()
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    page.keyboard.press("Escape")
    expect(page.get_by_role("menuitem")).to_have_count(0)


def test_who_may_not_is_told_so(product: Product, open_page: Open) -> None:
    page = open_page(product.sandbox)
    message = said(page, product, BOB, "The invoice is wrong")
    page.locator(".me").click()
    page.get_by_role("menuitem", name="Carol Viewer").click()
    choose(page, message, "Tag this as a ticket")
    expect(answer(page)).to_contain_text("You may not run", timeout=SLOW_MS)
