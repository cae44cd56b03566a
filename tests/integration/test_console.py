"""The console's pages as a browser asks for them: signing in, looking, replaying, and what strangers get."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.console.conditions import Conditions
from bot.console.sign_in import LINK_LIFETIME, Links, Sessions
from bot.core.context import Context
from bot.core.database import Database
from bot.core.declare import Plugin, on
from bot.core.events import Hook
from bot.core.memory import Documents
from bot.core.pages import Cell, Chart, Figure, Figures, Page, Table
from bot.core.ports import Health
from bot.core.steps import Steps
from tests.conftest import wait_until
from tests.integration.web_kit import Listener, Web, jira_body, jira_headers, web

pytestmark = pytest.mark.integration
PAGES = ["/", "/inbox", "/plugins", "/audit", "/pages/painter", "/pages/painter/charts/2.svg"]


class Painter(Plugin):
    """Has a page with everything that a page can hold."""

    name = "painter"
    page_title = "Pictures"

    @on("generic.deploys")
    def deploy(self, hook: Hook, ctx: Context) -> None: ...

    def page(self, ctx: Context) -> Page:
        if ctx.documents.get("broken"):
            raise ZeroDivisionError("a fault of the plugin")
        figures = Figures(items=(Figure(label="tickets", value="7", tone="good"),))
        rows = (
            (Cell(text="good", link="https://ok.example/1"), Cell(text="bad", link="javascript:alert(1)")),
        )
        table = Table(title="Links", columns=("a", "b"), rows=rows)
        chart = Chart(title="Week", alt="Rises.", x=("a", "b"), series=(("n", (1.0, None)),), kind="bar")
        bare = Chart(title="Bare", alt="", x=("a",), series=(("n", (0.0,)),), empty="Run `paint <b>`.")
        return Page(title=self.page_title, parts=(figures, table, chart, bare))

    def page_of(self, key: str, ctx: Context) -> Page | None:
        return Page(title=f"Picture {key}") if key == "7" else None

    def health(self, ctx: Context) -> Health:
        if ctx.documents.get("ill"):
            raise ZeroDivisionError("a fault of the plugin")
        if ctx.documents.get("hangs"):
            time.sleep(1)
        return Health(status="degraded", detail="The brush is dry.")


@pytest.fixture
def site(database_url: str) -> Iterator[Web]:
    with web(database_url, Listener(Listener.Config()), Painter(Painter.Config())) as running:
        yield running


def sign_in(site: Web) -> str:
    """Sign in, and return the token that forms carry."""
    answer = site.http.get("/sign-in", params={"code": Links(site.kernel.db).make()})
    assert answer.status_code == 200, "the redirect leads to the overview"
    found = re.search(r'name="token" value="([^"]+)"', answer.text)
    assert found
    return found[1]


def dead_letter(site: Web) -> str:
    body = jira_body("SUP-1")
    site.http.post("/webhooks/jira", content=body, headers=jira_headers(body))
    [run] = [run for run in site.kernel.inbox.runs() if run.kind == "ticket.created"]
    lease = site.kernel.inbox.lease(run.id, "test", timedelta(minutes=1))
    site.kernel.inbox.dead(lease, "Jira said <b>no</b><script>alert(1)</script>")  # type: ignore[arg-type]
    return run.id


@pytest.mark.parametrize("path", PAGES)
def test_strangers_are_told_how_to_sign_in_and_nothing_else(site: Web, path: str) -> None:
    dead_letter(site)
    answer = site.http.get(path)
    assert answer.status_code == 401
    assert "signalbox console" in answer.text
    assert "SUP-1" not in answer.text
    assert "painter" not in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_whoever_signed_in_sees_every_page(site: Web, path: str) -> None:
    sign_in(site)
    assert site.http.get(path).status_code == 200


def test_a_link_works_once(site: Web) -> None:
    code = Links(site.kernel.db).make()
    assert site.http.get("/sign-in", params={"code": code}).status_code == 200
    site.http.cookies.clear()
    again = site.http.get("/sign-in", params={"code": code})
    assert again.status_code == 401
    assert "used already" in again.text


def test_a_link_does_not_work_for_long(tmp_path: Path) -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    db = Database(f"sqlite:///{tmp_path / 'l.db'}")
    db.migrate()
    code = Links(db, lambda: now).make()
    assert Links(db, lambda: now + LINK_LIFETIME + timedelta(seconds=1)).use(code) is None
    assert Links(db, lambda: now).use(code) == "admin"
    assert Links(db, lambda: now).use("guessed") is None
    db.close()


def test_a_cookie_of_another_key_is_no_session(site: Web) -> None:
    sessions = Sessions(b"x" * 32, site.kernel.db)
    site.http.cookies.set("signalbox_session", sessions.begin("admin", by_link=True))
    assert site.http.get("/").status_code == 401


def test_the_cookie_is_kept_from_scripts_and_other_sites(site: Web) -> None:
    code = Links(site.kernel.db).make()
    answer = site.http.get("/sign-in", params={"code": code}, follow_redirects=False)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    site.http.cookies.clear()
    https = site.http.get(
        "https://testserver/sign-in", params={"code": Links(site.kernel.db).make()}, follow_redirects=False
    )
    assert "secure" in https.headers["set-cookie"].lower()


def test_behind_a_proxy_that_does_not_tell_the_cookie_is_for_https_too(database_url: str) -> None:
    with web(database_url, web={"public_url": "https://signalbox.example"}) as running:
        code = Links(running.kernel.db).make()
        answer = running.http.get("/sign-in", params={"code": code}, follow_redirects=False)
        assert "secure" in answer.headers["set-cookie"].lower()


def test_what_came_in_is_shown_escaped(site: Web) -> None:
    dead_letter(site)
    sign_in(site)
    page = site.http.get("/").text
    assert "Stuck" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "Jira said &lt;b&gt;no&lt;/b&gt;" in page
    assert "SUP-1" in page
    assert "<script>" not in page


def test_the_inbox_is_searched_by_subject_kind_and_id(site: Web) -> None:
    run_id = dead_letter(site)
    sign_in(site)
    for found in ("SUP-1", "ticket.created", run_id[:12]):
        assert "ticket.created</a>" in site.http.get("/inbox", params={"q": found}).text
    for missed in ("SUP-2", "%", "_"):
        assert "Nothing fits" in site.http.get("/inbox", params={"q": missed}).text
    assert "Nothing fits" in site.http.get("/inbox", params={"status": "done"}).text


def test_a_dead_letter_is_replayed_with_the_form_and_audited(site: Web) -> None:
    run_id = dead_letter(site)
    token = sign_in(site)
    site.queue.runs.clear()
    page = site.http.post(f"/inbox/{run_id}/replay", data={"token": token})
    assert page.status_code == 200
    assert "waiting" in page.text or "pending" in page.text
    assert [run.run_id for run in site.queue.runs] == [run_id]
    assert [row.actor for row in site.kernel.audit.recent(1)] == ["console:admin"]


def test_forms_are_counted_as_what_is_typed_in_slack_is_but_signing_out_always_works(
    tmp_path: Path,
) -> None:
    with web(f"sqlite:///{tmp_path / 'c.db'}", limits={"person": "2/minute"}) as site:
        token = sign_in(site)
        sent = [
            site.http.post("/plugins/listener/switch", data={"token": token, "to": to})
            for to in ("off", "on", "off")
        ]
        assert [answer.status_code for answer in sent] == [200, 200, 429]
        assert "Please wait" in sent[-1].text
        assert int(sent[-1].headers["retry-after"]) <= 62
        assert site.kernel.switches.all() == {}
        assert site.http.post("/sign-out", data={"token": token}).status_code == 401


def test_tries_to_sign_in_are_slowed_down_by_address(tmp_path: Path) -> None:
    with web(f"sqlite:///{tmp_path / 'c.db'}", limits={"failures": "3/minute"}) as site:
        answers = [site.http.get("/sign-in", params={"code": "guessed"}) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
        assert "Too many tries" in answers[-1].text
        assert site.http.get("/").status_code == 401, "the page that tells how is shown"


@pytest.mark.parametrize("token", ["", "guessed", "schlüssel"])
def test_a_form_of_another_site_changes_nothing(site: Web, token: str) -> None:
    run_id = dead_letter(site)
    sign_in(site)
    site.queue.runs.clear()
    assert site.http.post(f"/inbox/{run_id}/replay", data={"token": token}).status_code in {403, 422}
    assert site.queue.runs == []
    assert len(site.dead()) == 1


def test_an_event_is_followed_from_delivery_to_effects(site: Web) -> None:
    run_id = dead_letter(site)
    sign_in(site)
    page = site.http.get(f"/events/{run_id.rpartition('-')[0]}").text
    assert "listener.ticket" in page
    assert "Jira said" in page
    assert site.http.get("/events/zzz").status_code == 404


def test_signing_out_ends_the_session(site: Web) -> None:
    token = sign_in(site)
    copied = site.http.cookies["signalbox_session"]
    assert site.http.post("/sign-out", data={"token": token}).status_code == 401
    assert site.http.get("/inbox").status_code == 401
    site.http.cookies.set("signalbox_session", copied)
    assert site.http.get("/inbox").status_code == 401, "the cookie that somebody copied before"
    sign_in(site)
    assert site.http.get("/inbox").status_code == 200
    assert "console.sign_out" in [row.action for row in site.kernel.audit.recent(3)]


def test_a_plugin_s_page_links_to_pages_and_to_nothing_else(site: Web) -> None:
    sign_in(site)
    page = site.http.get("/pages/painter").text
    assert 'href="https://ok.example/1"' in page
    assert "javascript:" not in page
    assert 'alt="Rises."' in page
    chart = site.http.get("/pages/painter/charts/2.svg")
    assert chart.headers["content-type"] == "image/svg+xml"
    assert "<script" not in chart.text
    assert site.http.get("/pages/painter/charts/0.svg").status_code == 404
    assert site.http.get("/pages/listener").status_code == 404


def test_a_plugin_s_fault_stays_on_its_page(site: Web) -> None:
    sign_in(site)
    Documents(site.kernel.db, "painter").put("broken", {})
    page = site.http.get("/pages/painter")
    assert page.status_code == 404
    assert "ZeroDivisionError" in page.text
    assert site.http.get("/").status_code == 200


def test_every_page_forbids_inline_scripts(site: Web) -> None:
    sign_in(site)
    for path in PAGES[:-1]:
        answer = site.http.get(path)
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert not re.search(r"<script(?![^>]*src=)|\son\w+=|style=", answer.text)


def test_what_is_not_there_is_told_in_a_page_to_people_and_as_problem_json_to_programs(site: Web) -> None:
    sign_in(site)
    page = site.http.get("/pages/painter/of/8", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "knows no &#39;8&#39;" in page.text
    assert site.http.get("/pages/painter/of/8").headers["content-type"] == "application/problem+json"
    assert "Picture 7" in site.http.get("/pages/painter/of/7").text


def test_a_chart_is_drawn_for_a_phone_too_and_one_without_values_says_what_to_do(site: Web) -> None:
    sign_in(site)
    shown = site.http.get("/pages/painter").text
    assert "/pages/painter/charts/2.svg?narrow=true" in shown
    assert "charts/3.svg" not in shown
    assert "Run <code>paint &lt;b&gt;</code>." in shown
    assert b'width="400"' in site.http.get("/pages/painter/charts/2.svg?narrow=true").content


def _label() -> str:
    return "billing"


def test_what_went_out_is_on_the_overview(site: Web) -> None:
    sign_in(site)
    assert "Nothing came in within 24 hours." in site.http.get("/").text
    body = jira_body("SUP-1")
    site.http.post("/webhooks/jira", content=body, headers=jira_headers(body, "1"))
    [run] = site.kernel.inbox.runs()
    Steps(site.kernel.db).run(run.event_id, "listener.ticket/label", _label, {})
    wait_until(lambda: "flow.svg?of=" in site.http.get("/").text, what="the hours to be counted anew")
    shown = site.http.get("/").text
    assert "listener.ticket/label" in shown
    assert "1 events came in, 1 effects went out." in shown
    assert site.http.get("/flow.svg").headers["content-type"] == "image/svg+xml"


def test_plugins_say_how_they_are(site: Web) -> None:
    sign_in(site)
    assert "The brush is dry." in site.http.get("/plugins").text


def test_a_plugin_that_is_ill_or_hangs_does_not_hold_the_page_up(site: Web) -> None:
    documents = Documents(site.kernel.db, "painter")
    documents.put("hangs", {})
    assert Conditions(site.kernel, patience=0.1).all()["painter"].detail == "It did not say within 0.1 s."
    documents.put("ill", {})
    assert Conditions(site.kernel).all()["painter"].detail.startswith("Its health check failed")


def test_a_plugin_is_switched_off_and_on_with_the_form(site: Web) -> None:
    token = sign_in(site)
    off = site.http.post("/plugins/painter/switch", data={"token": token, "to": "off", "why": "paint <b>"})
    assert "paint &lt;b&gt;" in off.text
    assert site.kernel.switches.is_off("painter")
    assert "paint &lt;b&gt;" in site.http.get("/").text, "the overview says so too"
    site.http.post("/plugins/painter/switch", data={"token": token, "to": "on"})
    assert not site.kernel.switches.is_off("painter")
    done = [(row.actor, row.action) for row in site.kernel.audit.recent() if row.subject == "painter"]
    assert done == [("console:admin", "plugin.on"), ("console:admin", "plugin.off")]


@pytest.mark.parametrize(("name", "status"), [("core", 404), ("nobody", 404)])
def test_what_is_no_plugin_here_can_not_be_switched(site: Web, name: str, status: int) -> None:
    token = sign_in(site)
    answer = site.http.post(f"/plugins/{name}/switch", data={"token": token, "to": "off"})
    assert answer.status_code == status


def test_the_audit_trail_is_searched(site: Web) -> None:
    sign_in(site)
    site.kernel.audit.record("slack:U1", "tag.set", "SUP-1")
    found = site.http.get("/audit", params={"q": "sup-1"}).text
    assert "tag.set" in found
    assert "console.sign_in" not in found
