"""Block Kit on the page, sent by a bot through Slack's own client to a sandbox alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import sampler
from fastapi.responses import JSONResponse, Response
from playwright.sync_api import Page, expect
from sandbox_slack_kit import GENERAL, Heard, Sandbox, running

pytestmark = pytest.mark.browser

Open = Callable[..., Page]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running() as started:
        started.bot.answer = lambda heard: answer(started, heard)
        started.web.chat_postMessage(
            channel=GENERAL, text="All blocks", blocks=sampler.MESSAGE, attachments=sampler.ATTACHMENTS
        )
        yield started


def answer(sandbox: Sandbox, heard: Heard) -> Response | None:
    if heard.type == "view_submission":
        return JSONResponse({"response_action": "errors", "errors": {"name": "This name is taken"}})
    if heard.type == "block_actions" and heard.body["actions"][0]["action_id"] == "form":
        opening = {"trigger_id": heard.body["trigger_id"], "view": sampler.MODAL}
        threading.Thread(target=sandbox.web.views_open, kwargs=opening).start()
    return None


def test_blocks_and_markup_are_drawn(sandbox: Sandbox, open_page: Open) -> None:
    message = open_page(sandbox.url).locator(".message").first
    expect(message.locator("h3")).to_have_text("Release 4.2 🚀")
    expect(message.locator("strong", has_text="bold").first).to_be_visible()
    expect(message.locator(".code-block").first).to_have_text('if a < b: return "*not bold*"')
    expect(message).to_contain_text("2*3*4 snake_case_name")
    expect(message.locator(".attachment")).to_have_count(2)
    expect(message.locator(".unsupported")).to_have_count(0)


def test_a_confirmed_button_and_a_select_reach_the_bot(sandbox: Sandbox, open_page: Open) -> None:
    page = open_page(sandbox.url)
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog", name="Are you sure?").get_by_role("button", name="Delete").click()
    sandbox.bot.wait_for("block_actions")
    page.get_by_role("combobox").filter(has_text="Category").click()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    chosen = sandbox.bot.wait_for("block_actions", 2)[1].body["actions"][0]
    assert chosen["selected_option"]["value"] == "refund"


def test_a_modal_keeps_what_was_typed_and_shows_field_errors(sandbox: Sandbox, open_page: Open) -> None:
    page = open_page(sandbox.url)
    page.get_by_role("button", name="Open form").click()
    modal = page.get_by_role("dialog", name="Open an incident")
    modal.get_by_label("Name").fill("Disk full")
    modal.get_by_role("button", name="Open", exact=True).click()
    expect(modal.locator(".field-error")).to_have_text("Please complete this required field.")
    modal.get_by_role("combobox", name="Kind").click()
    page.keyboard.press("Enter")
    modal.get_by_role("button", name="Open", exact=True).click()
    expect(modal.locator(".field-error")).to_have_text("This name is taken")
    expect(modal.get_by_label("Name")).to_have_value("Disk full")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
