"""Signing in to the console with Slack, played by the sandbox: who gets in, and what they may do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from sandbox_slack_kit import ALICE, BOB, CAROL, Sandbox, running

from bot.console.sign_in import Links
from bot.core.runner import Runner
from bot.plugin import Button, Click, Confirm, Context, Controls, Page, Plugin, action
from tests.integration.web_kit import Web, jira_body, jira_headers, web

pytestmark = pytest.mark.contract
ROLES = {
    "viewers": {"members": [BOB], "permissions": ["console.view"]},
    "admins": {"members": ["@admins"], "permissions": ["*"]},
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running(rate_limits=False) as found:
        yield found


@pytest.fixture
def site(tmp_path: Path, sandbox: Sandbox) -> Iterator[Web]:
    with web(f"sqlite:///{tmp_path / 'c.db'}", **settings(sandbox)) as found:
        yield found


def settings(sandbox: Sandbox, **changed: Any) -> dict[str, Any]:
    slack = {
        "signing_secret": "s",
        "bot_token": "xoxb-sandbox",
        "api_url": sandbox.web.base_url,
        "client_id": "100.200",
        "client_secret": "sandbox-client-secret",
    }
    return {"slack": slack | changed, "roles": ROLES, "web": {"public_url": "http://testserver"}}


def asked(site: Web) -> str:
    answer = site.http.get("/sign-in/slack", follow_redirects=False)
    assert answer.status_code == 303
    return str(answer.headers["location"])


def agreed(site: Web, user: str) -> str:
    """The path that Slack sends the browser back to."""
    back = httpx2.get(f"{asked(site)}&user={user}").headers["location"]
    assert back.startswith("http://testserver/")
    return str(back.removeprefix("http://testserver"))


def dead_letter(site: Web) -> str:
    body = jira_body("SUP-1")
    site.http.post("/webhooks/jira", content=body, headers=jira_headers(body))
    [run] = [run for run in site.kernel.inbox.runs() if run.kind == "ticket.created"]
    lease = site.kernel.inbox.lease(run.id, "test", timedelta(minutes=1))
    site.kernel.inbox.dead(lease, "no")  # type: ignore[arg-type]
    return run.id


def test_who_has_a_role_gets_in_and_is_named_in_the_audit_trail(site: Web) -> None:
    answer = site.http.get(agreed(site, BOB))
    assert answer.status_code == 200
    assert "Sign out" in answer.text
    newest = site.kernel.audit.recent(1)[0]
    assert (newest.actor, newest.action) == (f"console:{BOB}", "console.sign_in")


def test_the_sign_in_page_offers_slack(site: Web) -> None:
    assert "/sign-in/slack" in site.http.get("/").text


def test_who_has_no_role_is_told_whom_to_ask(site: Web) -> None:
    answer = site.http.get(agreed(site, CAROL))
    assert answer.status_code == 401
    assert "console.view" in answer.text
    assert "viewers" in answer.text
    assert site.http.get("/inbox").status_code == 401


@pytest.mark.parametrize(("user", "status"), [(BOB, 403), (ALICE, 303)])
def test_rights_are_those_of_the_person(site: Web, user: str, status: int) -> None:
    run = dead_letter(site)
    page = site.http.get(agreed(site, user)).text
    form = re.search(r'name="token" value="([^"]+)"', page)
    assert form
    answer = site.http.post(f"/inbox/{run}/replay", data={"token": form[1]}, follow_redirects=False)
    assert answer.status_code == status
    [after] = [one for one in site.kernel.inbox.runs() if one.id == run]
    assert after.status == ("dead" if status == 403 else "pending")


class Levers(Plugin):
    """A page with a button."""

    name = "levers"
    page_title = "Levers"
    pulled: ClassVar[list[str]] = []

    @action("pull", permission="levers.pull")
    def pull(self, click: Click, ctx: Context) -> str:
        self.pulled.append(f"{click.user.id} {click.args['lever']}")
        return "it is pulled"

    def page(self, ctx: Context) -> Page:
        confirm = Confirm(title="Sure?", text="The points move.", ok="Pull")
        lever = Button(text="Pull it", action="pull", args={"lever": 7}, group="lever-7", confirm=confirm)
        controls = Controls(title="Lever 7", plugin="levers", buttons=(lever,), without="Ask the signalman.")
        return Page(title="Levers", parts=(controls,))


def test_a_button_on_a_page_is_pressed_once_by_whom_it_is_for(tmp_path: Path, sandbox: Sandbox) -> None:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    with web(url, Levers(Levers.Config()), **settings(sandbox)) as site:
        site.http.get(agreed(site, BOB))
        assert "Ask the signalman." in site.http.get("/pages/levers").text
        site.http.get(agreed(site, ALICE))
        page = site.http.get("/pages/levers").text
        assert "The points move." in page
        path, token = re.findall(
            r'action="(/press/[^"]+)">\s*<input type="hidden" name="token" value="([^"]+)"', page
        )[0]
        assert site.http.post(path, data={"token": "another"}).status_code == 403
        assert site.http.post("/press/unknown", data={"token": token}).status_code == 404
        for _ in range(2):
            answer = site.http.post(path, data={"token": token}, follow_redirects=False)
            assert re.fullmatch(r"/events/\w+", answer.headers["location"])
        for due in site.kernel.inbox.due():
            Runner(site.kernel, "test").run(due.run_id)
        assert Levers.pulled == [f"{ALICE} 7"]
        assert "Ask the signalman." in site.http.get("/pages/levers").text


def test_a_button_is_not_for_a_session_without_a_person(tmp_path: Path, sandbox: Sandbox) -> None:
    with web(f"sqlite:///{tmp_path / 'c.db'}", Levers(Levers.Config()), **settings(sandbox)) as site:
        site.http.get(f"/sign-in?code={Links(site.kernel.db).make()}")
        page = site.http.get("/pages/levers").text
        assert "Ask the signalman." in page
        assert "/press/" not in page
        token = re.findall(r'name="token" value="([^"]+)"', page)[0]
        assert site.http.post("/press/unknown", data={"token": token}).status_code == 403


def test_a_role_that_is_taken_away_ends_what_it_allowed(tmp_path: Path, sandbox: Sandbox) -> None:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    with web(url, **settings(sandbox)) as before:
        before.http.get(agreed(before, BOB))
        cookie = before.http.cookies["signalbox_session"]
    with web(url, **(settings(sandbox) | {"roles": {}})) as after:
        after.http.cookies.set("signalbox_session", cookie)
        answer = after.http.get("/inbox")
    assert answer.status_code == 401
    assert "console.view" in answer.text


def test_an_answer_for_another_browser_is_refused(site: Web) -> None:
    """Else somebody could have others sign in as themselves (login CSRF)."""
    back = agreed(site, BOB)
    site.http.cookies.clear()
    answer = site.http.get(back)
    assert answer.status_code == 401
    assert "not begun in this browser" in answer.text


def test_a_code_is_good_for_one_sign_in(site: Web) -> None:
    back = agreed(site, BOB)
    state = dict(site.http.cookies)
    site.http.get(back)
    site.http.cookies.clear()
    site.http.cookies.update(state)
    assert "invalid_code" in site.http.get(back).text


def test_slack_is_not_asked_as_often_as_a_stranger_likes(tmp_path: Path, sandbox: Sandbox) -> None:
    with web(f"sqlite:///{tmp_path / 'c.db'}", **settings(sandbox), limits={"failures": "2/minute"}) as site:
        state = parse_qs(urlsplit(asked(site)).query)["state"][0]
        answers = [
            site.http.get("/sign-in/slack/done", params={"state": state, "code": f"guess-{n}"})
            for n in range(3)
        ]
    assert [answer.status_code for answer in answers] == [401, 401, 429]


def test_whoever_cancels_is_not_signed_in(site: Web) -> None:
    answer = site.http.get(agreed(site, ""))
    assert answer.status_code == 401
    assert "was not allowed to say who you are" in answer.text


def test_people_of_another_workspace_stay_outside(site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    back = agreed(site, ALICE)
    monkeypatch.setattr("bot.slack.asking.team_of", lambda _: "T0OURS000")
    answer = site.http.get(back)
    assert answer.status_code == 401
    assert "another Slack workspace" in answer.text


def test_while_slack_is_away_it_says_so(tmp_path: Path, sandbox: Sandbox) -> None:
    with web(f"sqlite:///{tmp_path / 'c.db'}", **settings(sandbox)) as site:
        back = agreed(site, BOB)
        sandbox.page("faults", method="openid.connect.token", status=500)
        answer = site.http.get(back)
    assert answer.status_code == 401
    assert "please try again" in answer.text


def test_without_the_apps_credentials_slack_is_not_offered(tmp_path: Path, sandbox: Sandbox) -> None:
    with web(f"sqlite:///{tmp_path / 'c.db'}", **settings(sandbox, client_secret=None)) as site:
        assert "/sign-in/slack" not in site.http.get("/").text
        assert "not set up" in site.http.get("/sign-in/slack").text
