"""Add to Slack, from who may begin to the token that is kept, with the sandbox as Slack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sandbox_slack_kit import ALICE, BOB, Sandbox, running
from slack_sdk import WebClient

from bot.console import sign_in
from bot.console.sign_in import Links
from bot.console.slack_install import LINKS, new_link
from tests.integration.web_kit import Web, web

pytestmark = pytest.mark.contract
HOME, BRANCH = "T0SANDBOX", "T0BRANCH0"
ROLES = {
    "viewers": {"members": [BOB], "permissions": ["console.view"]},
    "admins": {"members": ["@admins"], "permissions": ["*"]},
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running(rate_limits=False) as found:
        yield found


def settings(sandbox: Sandbox, **changed: Any) -> dict[str, Any]:
    slack = {
        "signing_secret": "s",
        "bot_token": "xoxb-sandbox",
        "api_url": sandbox.web.base_url,
        "client_id": "100.200",
        "client_secret": "sandbox-client-secret",
        "home_team": HOME,
    }
    return {"slack": slack | changed, "roles": ROLES, "web": {"public_url": "http://testserver"}}


@pytest.fixture
def site(tmp_path: Path, sandbox: Sandbox) -> Iterator[Web]:
    with web(f"sqlite:///{tmp_path / 'c.db'}", **settings(sandbox)) as found:
        yield found


def link(site: Web) -> str:
    """As `signalbox slack install-link` prints it."""
    return new_link(Links(site.kernel.db, site.kernel.clock, LINKS), "http://testserver")


def offered(site: Web, address: str) -> str:
    """Where the page's button leads."""
    page = begun(site, address)
    assert page.status_code == 200, page.text
    found = re.search(r'class="button" href="([^"]+)"', page.text)
    assert found
    return unescape(found[1])


def begun(site: Web, address: str) -> httpx2.Response:
    """The page of a link has one button, and only who presses it uses the link."""
    page = site.http.get(address)
    form = re.search(r'action="([^"]+)"><input type="hidden" name="code" value="([^"]+)">', page.text)
    return site.http.post(form[1], data={"code": form[2]}) if form else page


def agreed(site: Web, into: str = BRANCH, address: str = "") -> str:
    """Where Slack sends the browser back to."""
    back = httpx2.get(f"{offered(site, address or link(site))}&into={into}").headers["location"]
    assert back.startswith("http://testserver/slack/installed?")
    return str(back)


def sign_in_as(site: Web, user: str) -> None:
    asked = site.http.get("/sign-in/slack", follow_redirects=False).headers["location"]
    back = httpx2.get(f"{asked}&user={user}").headers["location"]
    assert site.http.get(back).status_code == 200


def teams(site: Web) -> list[str]:
    return [one.team for one in site.kernel.installations.all()]


def test_a_link_installs_one_workspace_and_its_token_works(site: Web, sandbox: Sandbox) -> None:
    page = site.http.get(agreed(site))
    assert page.status_code == 200
    assert "Branch" in page.text
    [made] = site.kernel.installations.all()
    assert (made.team, made.name, made.bot_user, made.installed_by) == (
        BRANCH,
        "Branch",
        "U0BRSIGNL",
        "install-link",
    )
    assert "chat:write" in made.scopes
    token = site.kernel.installations.token(BRANCH)
    assert WebClient(token, base_url=sandbox.web.base_url).auth_test()["team_id"] == BRANCH
    newest = site.kernel.audit.recent(1)[0]
    assert (newest.actor, newest.action, newest.subject) == ("install-link", "slack.install", BRANCH)
    assert token not in page.text + str(newest)


def test_a_second_installation_keeps_one_row_with_the_new_token(site: Web) -> None:
    site.http.get(agreed(site))
    first = site.kernel.installations.token(BRANCH)
    site.http.get(agreed(site))
    assert teams(site) == [BRANCH]
    assert site.kernel.installations.token(BRANCH) != first


def test_a_signed_in_administrator_needs_no_link(site: Web) -> None:
    sign_in_as(site, ALICE)
    assert site.http.get(agreed(site, address="/slack/install")).status_code == 200
    assert site.kernel.installations.all()[0].installed_by == f"console:{ALICE}"
    assert f"<td>{BRANCH}</td>" in site.http.get("/slack/install").text


def test_whoever_was_sent_a_link_is_not_told_where_else_it_is(site: Web) -> None:
    site.http.get(agreed(site))
    address = link(site)
    assert BRANCH not in site.http.get(address).text + begun(site, address).text


def test_who_may_only_look_is_refused(site: Web) -> None:
    sign_in_as(site, BOB)
    answer = site.http.get("/slack/install")
    assert answer.status_code == 403
    assert "slack.install" in answer.text


def test_whoever_is_not_signed_in_is_asked_to(site: Web) -> None:
    answer = site.http.get("/slack/install")
    assert answer.status_code == 401
    assert "Sign in" in answer.text


def test_a_link_works_once_and_only_for_this(site: Web) -> None:
    address = link(site)
    assert site.http.get(address.replace("/slack/install", "/sign-in")).status_code == 401
    for _ in range(3):
        assert site.http.get(address).status_code == 200, "who only looks, as chats do, uses nothing up"
    offered(site, address)
    code = address.partition("code=")[2]
    for again in (site.http.get(address), site.http.post("/slack/install", data={"code": code})):
        assert again.status_code == 401
        assert "used already" in again.text
    signs_in = Links(site.kernel.db, site.kernel.clock).make()
    assert site.http.get(f"/slack/install?code={signs_in}").status_code == 401


def test_an_answer_for_another_browser_is_refused(site: Web) -> None:
    """Else somebody could have an administrator end what they began."""
    back = agreed(site)
    site.http.cookies.clear()
    answer = site.http.get(back)
    assert answer.status_code == 403
    assert "not begun in this browser" in answer.text
    assert teams(site) == []


def test_a_wrong_state_is_refused(site: Web) -> None:
    back = agreed(site)
    answer = site.http.get(re.sub(r"state=[^&]+", "state=forged", back))
    assert answer.status_code == 403
    assert teams(site) == []


def test_a_state_that_is_too_old_is_refused(site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    address = link(site)
    monkeypatch.setattr(sign_in, "LINK_LIFETIME", timedelta(seconds=-1))
    answer = site.http.get(agreed(site, address=address))
    assert answer.status_code == 403
    assert "older than ten minutes" in answer.text
    assert teams(site) == []


def test_what_was_ended_can_not_be_ended_again(site: Web) -> None:
    back = agreed(site)
    cookies = dict(site.http.cookies)
    assert site.http.get(back).status_code == 200
    site.kernel.installations.forget(BRANCH, "test")
    site.http.cookies.clear()
    site.http.cookies.update(cookies)
    answer = site.http.get(back)
    assert answer.status_code == 403
    assert "ended already" in answer.text
    assert teams(site) == []


def test_a_code_that_was_used_is_refused_by_slack_in_words(site: Web) -> None:
    used = re.search(r"code=([^&]+)", back := agreed(site))
    assert used
    site.http.get(back)
    answer = site.http.get(re.sub(r"code=[^&]+", f"code={used[1]}", agreed(site)))
    assert answer.status_code == 403
    assert "invalid_code" in answer.text


def test_whoever_cancels_has_installed_nothing(site: Web) -> None:
    answer = site.http.get(agreed(site, into=""))
    assert answer.status_code == 403
    assert "was not allowed to install" in answer.text
    assert teams(site) == []


def test_somebody_else_can_not_end_what_a_colleague_began(site: Web) -> None:
    sign_in_as(site, ALICE)
    back = agreed(site, address="/slack/install")
    sign_in_as(site, BOB)
    assert site.http.get(back).status_code == 403
    assert teams(site) == []


def test_the_home_workspace_has_its_token_in_the_settings(site: Web) -> None:
    answer = site.http.get(agreed(site, into=HOME))
    assert answer.status_code == 403
    assert "SLACK_BOT_TOKEN" in answer.text


def test_without_a_token_in_the_settings_home_is_installed_too(tmp_path: Path, sandbox: Sandbox) -> None:
    with web(f"sqlite:///{tmp_path / 'c.db'}", **settings(sandbox, bot_token=None)) as site:
        assert site.http.get(agreed(site, into=HOME)).status_code == 200
        assert teams(site) == [HOME]
        assert site.kernel.chat.health().status in {"ok", "degraded"}
        assert site.kernel.chat.groups_of(BOB) == {"oncall"}


def test_a_home_that_is_not_the_bot_tokens_is_refused_before_anybody_is_sent_to_slack(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    with web(f"sqlite:///{tmp_path / 'c.db'}", **settings(sandbox, home_team="T0WRONG00")) as site:
        answer = begun(site, link(site))
        assert answer.status_code == 403
        assert f"SLACK_BOT_TOKEN is for {HOME}" in answer.text
        assert "home_team" in site.kernel.chat.health().detail


@pytest.mark.parametrize("lacks", ["client_id", "client_secret", "home_team"])
def test_what_is_not_set_up_is_named(tmp_path: Path, sandbox: Sandbox, lacks: str) -> None:
    empty = "" if lacks != "client_secret" else None
    with web(f"sqlite:///{tmp_path / 'c.db'}", **settings(sandbox, **{lacks: empty})) as site:
        answer = site.http.get("/slack/install")
        assert answer.status_code == 404
        assert lacks.lower() in answer.json()["detail"].lower()


def test_while_slack_is_away_it_says_so(site: Web, sandbox: Sandbox) -> None:
    back = agreed(site)
    sandbox.page("faults", method="oauth.v2.access", status=500)
    answer = site.http.get(back)
    assert answer.status_code == 403
    assert "please try again" in answer.text
    assert teams(site) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"is_enterprise_install": True, "team": None}, "not in a whole organisation"),
        ({"refresh_token": "xoxe-1", "expires_in": 43200}, "token rotation"),
        ({"token_type": "user"}, "no lasting bot token"),
    ],
)
def test_tokens_that_would_not_work_are_refused(
    site: Web, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], words: str
) -> None:
    told = {"access_token": "xoxb-x", "token_type": "bot", "team": {"id": BRANCH, "name": "Branch"}}
    monkeypatch.setattr("bot.slack.install.Installer._exchanged", lambda _self, _code: told | changed)
    answer = site.http.get(agreed(site))
    assert answer.status_code == 403
    assert words in answer.text
    assert teams(site) == []
