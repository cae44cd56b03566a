"""The sandbox's page as a newcomer uses it, with the whole product behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.e2e.product import BOB, CAROL, Product

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"
SLOW_MS = 30_000
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    started = Product(tmp_path_factory.mktemp("page") / "data").start()
    yield started
    assert started.stop() == 0


def say(page: Page, text: str) -> None:
    page.locator("#composer-text").fill(text)
    page.keyboard.press("Enter")


def act_as(page: Page, name: str) -> None:
    page.locator(".me").click()
    page.get_by_role("menuitem", name=name).click()
    expect(page.locator(".me")).to_contain_text(name)


def to_channel(page: Page, name: str) -> None:
    page.locator(".sidebar").get_by_role("button", name=name).click()
    expect(page.locator(".conversation h1")).to_have_text(name)


def last(page: Page, text: str) -> Locator:
    """The newest message with these words."""
    return page.locator(".conversation .message", has_text=text).last


def file_ticket(page: Page, summary: str = "", sample: str = "Billing") -> Locator:
    page.get_by_role("button", name="Create", exact=True).click()
    dialog = page.get_by_role("dialog", name="Create ticket")
    dialog.get_by_role("button", name=sample, exact=True).click()
    if summary:
        dialog.get_by_label("Summary").fill(summary)
    filed = dialog.get_by_label("Summary").input_value()
    dialog.get_by_role("button", name="Create").click()
    card = page.locator(".card", has_text=filed).first
    expect(card).to_be_visible()
    return card


def test_help_is_answered_to_me_alone_and_ticks_off(product: Product, open_page: Open) -> None:
    page = open_page(product.sandbox)
    page.locator(".tour").get_by_text("Ask for help").click()
    expect(page.locator("#composer-text")).to_have_value("/signalbox help")
    page.keyboard.press("Enter")
    answer = last(page, "/signalbox status")
    expect(answer).to_contain_text("Only visible to you", timeout=SLOW_MS)
    expect(page.locator(".tour-step").first).to_contain_text("done")
    act_as(page, "Bob Oncall")
    expect(page.locator(".message", has_text="/signalbox status")).to_have_count(0)


def test_a_filed_ticket_gets_the_bots_label(product: Product, open_page: Open) -> None:
    page = open_page(product.sandbox)
    card = file_ticket(page)
    expect(card.locator(".label.by-bot")).to_contain_text("billing", timeout=SLOW_MS)
    to_channel(page, "support")
    expect(last(page, "tagged billing")).to_be_visible(timeout=SLOW_MS)


def test_a_person_works_on_a_ticket(product: Product, open_page: Open) -> None:
    page = open_page(product.sandbox)
    file_ticket(page, "Where is my parcel today").get_by_role("button").click()
    ticket = page.get_by_role("dialog", name="SUP-")
    ticket.get_by_label("Add a label").fill("vip")
    # The bot changes the ticket in the meantime; what is being typed stays.
    expect(ticket.locator(".label.by-bot")).to_be_visible(timeout=SLOW_MS)
    page.keyboard.press("Enter")
    expect(ticket.locator(".label.by-person")).to_contain_text("vip")
    ticket.get_by_label("Comment").fill("On its way")
    ticket.get_by_role("button", name="Comment").click()
    expect(ticket.locator(".comment")).to_contain_text("On its way")
    ticket.get_by_label("Status").select_option("In Progress")
    page.keyboard.press("Escape")
    expect(page.get_by_label("In Progress").locator(".card")).to_contain_text("Where is my parcel today")


def test_bob_silences_an_alert_from_its_message(product: Product, open_page: Open) -> None:
    page = open_page(product.sandbox)
    to_channel(page, "alerts")
    page.get_by_role("button", name="Fire: A disk is filling up").click()
    alert = last(page, "DiskWillFillSoon")
    expect(alert).to_be_visible(timeout=SLOW_MS)
    act_as(page, "Bob Oncall")
    alert.get_by_role("button", name="Silence 1h").click()
    question = page.get_by_role("dialog", name="Silence")
    question.get_by_role("button", name="Silence").click()
    expect(last(page, "DiskWillFillSoon")).to_contain_text("by @Bob Oncall", timeout=SLOW_MS)
    expect(page.locator(".silence")).to_contain_text("DiskWillFillSoon")
    page.get_by_role("button", name="Delete the silence").click()
    expect(page.locator(".silence")).to_have_count(0)


def test_a_confirmation_can_be_declined_and_carol_is_refused(product: Product, open_page: Open) -> None:
    page = open_page(product.sandbox)
    to_channel(page, "alerts")
    page.get_by_role("button", name="Fire: Search becomes slow").click()
    expect(last(page, "SlowRequests")).to_be_visible(timeout=SLOW_MS)
    act_as(page, "Carol Viewer")
    last(page, "SlowRequests").get_by_role("button", name="Silence 1h").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert not [text for text in product.answers(CAROL, "C0ALERTS0") if "silence" in text]
    last(page, "SlowRequests").get_by_role("button", name="Silence 1h").click()
    page.get_by_role("dialog").get_by_role("button", name="Silence").click()
    refused = page.locator(".message.is-ephemeral").last
    expect(refused).to_contain_text("may not", timeout=SLOW_MS)
    expect(last(page, "SlowRequests").get_by_role("button", name="Silence 1h")).to_be_visible()


def test_markup_that_people_type_stays_text(product: Product, open_page: Open) -> None:
    page = open_page(product.sandbox)
    say(page, HOSTILE)
    expect(last(page, HOSTILE)).to_be_visible()
    card = file_ticket(page, HOSTILE)
    card.get_by_role("button").click()
    expect(page.locator(".ticket-summary")).to_have_text(HOSTILE)
    page.keyboard.press("Escape")
    to_channel(page, "support")
    expect(last(page, HOSTILE)).to_be_visible(timeout=SLOW_MS)
    assert page.locator("img[src='x'], main script").count() == 0


def test_with_the_keyboard_alone(product: Product, open_page: Open) -> None:
    page = open_page(product.sandbox)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("/signalbox pi")
    expect(page.locator(".hint-row").first).to_contain_text("/signalbox ping")
    page.keyboard.press("Escape")
    expect(page.locator(".hint-row")).to_have_count(0)
    page.keyboard.type("n")
    page.keyboard.press("Tab")
    expect(page.locator("#composer-text")).to_have_value("/signalbox ping")
    page.keyboard.press("Enter")
    expect(last(page, "pong")).to_be_visible(timeout=SLOW_MS)


def test_addresses_open_a_message_and_a_ticket(product: Product, open_page: Open) -> None:
    ts = product.say(BOB, "Look here", "C0DIGEST0")["ts"]
    page = open_page(f"{product.sandbox}/archives/C0DIGEST0/p{ts.replace('.', '')}")
    expect(page.locator(".conversation h1")).to_have_text("digest")
    expect(page.locator(".message.is-highlighted")).to_contain_text("Look here")
    key = product.ticket("A ticket by address")
    page.goto(f"{product.sandbox}/jira/browse/{key}")
    expect(page.get_by_role("dialog", name=key)).to_contain_text("A ticket by address")


def test_unread_channels_stand_out_until_they_are_read(product: Product, open_page: Open) -> None:
    page = open_page(product.sandbox)
    product.say(BOB, "News for everybody", "C0DIGEST0")
    channel = page.locator(".sidebar").get_by_role("button", name="digest")
    expect(channel.locator(".unread")).to_be_visible()
    channel.click()
    expect(channel.locator(".unread")).to_have_count(0)


def test_the_wire_shows_deliveries_and_breaks_things(product: Product, open_page: Open) -> None:
    page = open_page(product.sandbox)
    page.get_by_role("button", name="Wire").click()
    say(page, "/signalbox ping")
    expect(page.locator(".delivery", has_text="/signalbox").first).to_contain_text("200")
    page.get_by_role("tab", name="Jira").click()
    page.get_by_label("Where", exact=True).select_option("label writes")
    page.get_by_label("What", exact=True).select_option("answers 500")
    page.get_by_role("button", name="Order").click()
    expect(page.locator(".planned")).to_contain_text("PUT /rest/api/ answers 500")
    page.get_by_role("button", name="Withdraw all").click()
    expect(page.locator(".planned")).to_have_count(0)


def test_a_phone_shows_one_pane_at_a_time(product: Product, open_page: Open) -> None:
    page = open_page(product.sandbox, viewport={"width": 390, "height": 844})
    page.get_by_role("button", name="Show channels").click()
    to_channel(page, "general")
    for pane in ("Jira", "Alerts", "Slack"):
        page.locator(".tabs").get_by_role("button", name=pane).click()
        expect(page.locator(".pane:visible")).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible_to_everybody(product: Product, open_page: Open, scheme: str) -> None:
    page = open_page(product.sandbox, color_scheme=scheme, reduced_motion="reduce")
    say(page, "/signalbox help")
    expect(last(page, "/signalbox status")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="Wire").click()
    page.locator(".wire-head").wait_for()
    check_accessibility(page)
    page.get_by_role("button", name="Create", exact=True).click()
    page.get_by_role("dialog", name="Create ticket").wait_for()
    check_accessibility(page)


def check_accessibility(page: Page) -> None:
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
