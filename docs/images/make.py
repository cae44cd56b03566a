"""Takes the pictures of the documentation anew: `python docs/images/make.py`, with Chromium on the path.

Starts the product on free ports with a fresh data folder, does what a newcomer would do, and looks. The weeks
before are made up (`signalbox demo seed`); the pictures' captions say so.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "tests" / "browser")]

from conftest import DESKTOP, chromium_path  # noqa: E402 - the repository has to be on the path first
from playwright.sync_api import Page, expect, sync_playwright  # noqa: E402

from tests.e2e.product import Product  # noqa: E402

WAIT_MS = 30_000
TICKETS = ("Billing", "Account access", "Shipping and delivery", "Feature request")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        product = Product(Path(folder) / "data").start()
        try:
            take(product)
        finally:
            product.stop()


def take(product: Product) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox"])
        page = browser.new_page(viewport=DESKTOP, color_scheme="light")
        page.goto(product.sandbox)
        file_tickets(page, product)
        page.get_by_role("button", name="Fire: Checkout errors").click()
        show(page, "alerts")
        page.locator(".conversation .message", has_text="HighErrorRate").wait_for(timeout=WAIT_MS)
        page.locator("#composer-text").fill("/signalbox help tag")
        page.keyboard.press("Enter")
        page.locator(".message.is-ephemeral").wait_for(timeout=WAIT_MS)
        page.mouse.move(0, 0)
        page.screenshot(path=HERE / "sandbox.png")
        console(page, product)
        browser.close()


def console(page: Page, product: Product) -> None:
    """The console's overview, after what has just happened, and the pages that people look at most."""
    product.cli("demo", "seed").check_returncode()
    link = next(word for word in product.cli("console").stdout.split() if word.startswith("http"))
    page.set_viewport_size({"width": 1280, "height": 860})
    page.goto(link)
    page.get_by_role("main").wait_for(timeout=WAIT_MS)
    drawn(page)
    page.screenshot(path=HERE / "console.png")
    page.set_viewport_size({"width": 1280, "height": 1000})
    for name, address in (("incidents", "/pages/alert-relay"), ("tickets", "/pages/autotag")):
        page.goto(product.url + address)
        drawn(page)
        page.screenshot(path=HERE / f"console-{name}.png")


def drawn(page: Page) -> None:
    """Wait until every chart is there."""
    for chart in page.locator("img.chart").all():
        chart.scroll_into_view_if_needed()
        expect(chart).not_to_have_js_property("naturalWidth", 0, timeout=WAIT_MS)
    page.evaluate("scrollTo(0, 0)")


def file_tickets(page: Page, product: Product) -> None:
    for sample in reversed(TICKETS):
        page.get_by_role("button", name="Create", exact=True).click()
        dialog = page.get_by_role("dialog", name="Create ticket")
        dialog.get_by_role("button", name=sample, exact=True).click()
        dialog.get_by_role("button", name="Create").click()
        dialog.wait_for(state="detached")
    # Each ticket brings a message, whether the tagger is sure of it or asks.
    unread = page.locator(".channel[data-key=C0SUPPORT] .unread")
    expect(unread).to_have_text(str(len(TICKETS)), timeout=WAIT_MS)
    first, second = (page.locator(".card .key").nth(n).inner_text() for n in (1, 2))
    for key, status in ((first, "In Progress"), (second, "Done")):
        product.page("POST", f"jira/issues/{key}/transition", user="mia", status=status)


def show(page: Page, channel: str) -> None:
    page.locator(".sidebar").get_by_role("button", name=channel).click()


if __name__ == "__main__":
    main()
