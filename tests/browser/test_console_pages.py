"""The console in a browser: nothing serious for axe, usable by keyboard and on a phone, live."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from bot import demo
from bot.console.sign_in import Links
from bot.core.events import utc_now
from plugins.alert_relay import AlertRelay
from plugins.anomaly_watch import AnomalyWatch
from plugins.autotag import AutoTag
from plugins.daily_digest import DailyDigest
from tests.conftest import free_port, wait_until
from tests.integration.web_kit import Listener, Web, jira_body, jira_headers, web

pytestmark = pytest.mark.browser
PAGES = [
    "/", "/inbox", "/plugins", "/plugins#autotag", "/plugins/autotag/settings", "/audit", "/slack/install", "/pages/daily-digest",
    "/pages/anomaly-watch", "/pages/autotag", "/pages/alert-relay", "/pages/alert-relay/of/INC-3",
]  # fmt: skip
SLACK = {"signing_secret": "s", "client_id": "1.2", "client_secret": "c", "home_team": "T0HOME000"}


class Site:
    def __init__(self, running: Web, url: str) -> None:
        self.running, self.url = running, url

    def link(self) -> str:
        return f"{self.url}/sign-in?code={Links(self.running.kernel.db).make()}"

    def ticket(self, key: str) -> None:
        body = jira_body(key)
        self.running.http.post("/webhooks/jira", content=body, headers=jira_headers(body, key))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    file: Path = tmp_path_factory.mktemp("console") / "c.db"
    plugins = (
        Listener(Listener.Config()),
        DailyDigest(DailyDigest.Config()),
        AnomalyWatch(AnomalyWatch.Config()),
        AutoTag(AutoTag.Config()),
        AlertRelay(AlertRelay.Config()),
    )
    changed = {"slack": SLACK, "web": {"public_url": "https://bot.example.com"}}
    with web(f"sqlite:///{file}", *plugins, **changed) as running:
        running.kernel.installations.save("T0BRANCH0", "xoxb-1", "console:admin", name="Branch")
        port = free_port()
        server = uvicorn.Server(uvicorn.Config(running.app, port=port, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        wait_until(lambda: server.started, what="the web process")
        site = Site(running, f"http://127.0.0.1:{port}")
        site.ticket("SUP-1")
        demo.fill(running.kernel.db, utc_now(), file.parent, demo.load())
        yield site
        server.should_exit = True
        thread.join(10)


def _signed_in(browser: Browser, site: Site, **options: object) -> Page:
    page = browser.new_context(**options).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(15_000)
    page.goto(site.link())
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, site: Site, scheme: str) -> None:
    page = _signed_in(browser, site, color_scheme=scheme)
    event = site.running.kernel.inbox.recent(1)[0].id
    for path in [*PAGES, f"/events/{event}"]:
        page.goto("about:blank")  # else a fragment alone would load nothing
        answer = page.goto(site.url + path)
        assert answer is not None, path
        assert answer.ok, path
        found = Axe().run(page).response["violations"]
        assert [v["id"] for v in found if v["impact"] in {"serious", "critical"}] == [], path
    page.context.close()


def test_a_phone_scrolls_tables_and_not_the_page(browser: Browser, site: Site) -> None:
    page = _signed_in(browser, site, viewport={"width": 390, "height": 800})
    for path in PAGES:
        page.goto(site.url + path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    page.context.close()


def test_new_events_appear_without_reloading(browser: Browser, site: Site) -> None:
    page = _signed_in(browser, site)
    site.ticket("NEW-77")
    page.get_by_role("cell", name="NEW-77", exact=True).first.wait_for()
    page.context.close()


def test_the_keyboard_is_enough(browser: Browser, site: Site) -> None:
    page = _signed_in(browser, site)
    page.keyboard.press("/")
    page.wait_for_url("**/inbox")
    page.keyboard.press("/")
    page.keyboard.type("SUP-1")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=SUP-1*")
    page.get_by_role("link", name="ticket.created").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Handlers").wait_for()
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.wait_for_url("**/pages/autotag")
    for address in ("**/inbox", "**/pages/alert-relay"):  # Inbox, then Incidents
        page.keyboard.press("g")
        page.keyboard.press("i")
        page.wait_for_url(address)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Timeline").wait_for()
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog", name="Keys").wait_for(state="hidden")
    page.context.close()


def test_a_plugin_is_found_in_the_list_and_switched(browser: Browser, site: Site) -> None:
    page = _signed_in(browser, site)
    page.goto(site.url + "/plugins")
    page.get_by_role("link", name="daily-digest").click()
    page.get_by_role("button", name="Switch daily-digest off").click()
    page.get_by_role("cell", name="off", exact=True).wait_for()
    page.get_by_role("link", name="daily-digest").click()
    page.get_by_role("button", name="Switch daily-digest on").click()
    page.get_by_role("cell", name="off", exact=True).wait_for(state="detached")
    page.context.close()


def test_settings_are_changed_with_the_keyboard_alone(browser: Browser, site: Site) -> None:
    page = _signed_in(browser, site)
    page.goto(site.url + "/plugins/autotag/settings")
    page.get_by_label("ask daily").focus()
    for key in ("Control+A", "9", "9", "Enter"):
        page.keyboard.press(key)
    page.get_by_role("alert").get_by_text("less than or equal to 50").wait_for()
    page.get_by_label("ask daily").focus()
    for key in ("Control+A", "4", "Enter"):
        page.keyboard.press(key)
    page.get_by_role("status").get_by_text("Every process takes it").wait_for()
    assert page.get_by_label("ask daily").input_value() == "4"
    page.context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_every_chart_is_drawn(browser: Browser, site: Site, width: int) -> None:
    page = _signed_in(browser, site, viewport={"width": width, "height": 800})
    for path in ("/", "/pages/daily-digest", "/pages/autotag", "/pages/alert-relay"):
        page.goto(site.url + path)
        charts = page.locator("img.chart").all()
        assert charts, path
        for chart in charts:
            chart.scroll_into_view_if_needed()
            wait_until(lambda drawn=chart: drawn.evaluate("image => image.naturalWidth > 0"), what=path)
    page.context.close()
