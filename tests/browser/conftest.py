"""A headless Chromium, and pages that must not log an error."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

# The stand-in's own test kit starts a sandbox with a bot that answers as a test tells it.
sys.path.insert(0, str(Path(__file__).parent.parent / "contract"))

DESKTOP = {"width": 1440, "height": 900}
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium_path() -> str:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        if os.environ.get("CI") == "true":  # noqa: TID251 - about the test run, not a setting
            pytest.fail("Chromium is not installed; .ci/run should have installed it.")
        pytest.skip("Chromium is not installed; `apt-get install chromium` to run this test.")
    return found


# By module: while Playwright runs, its event loop is the thread's, and other modules' async tests need their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium_path()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages as a fresh visitor; fails the test when one of them logged an error."""
    complaints: list[str] = []
    contexts = []

    def open_(url: str, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": DESKTOP, "timezone_id": "Etc/UTC", **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: line.type in {"error", "warning"} and complaints.append(line.text))
        page.on("dialog", lambda dialog: complaints.append(f"a script ran: {dialog.message}"))
        page.goto(url)
        page.locator(".channel").first.wait_for(state="attached")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []
