"""Add to Slack, and the second workspace that it leads to, as the official client sees them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from sandbox_slack_kit import GENERAL, Sandbox, running
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth import AuthorizeUrlGenerator

pytestmark = pytest.mark.contract
BRANCH, BACK = "T0BRANCH0", "http://bot.example/slack/installed"
CLIENT = {"client_id": "100.200", "client_secret": "sandbox-client-secret"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running(rate_limits=False) as found:
        yield found


def answered(sandbox: Sandbox, into: str) -> dict[str, str]:
    """What Slack's page sends the browser back with."""
    made = AuthorizeUrlGenerator(
        client_id="100.200",
        redirect_uri=BACK,
        scopes=["chat:write", "commands"],
        authorization_url=f"{sandbox.url}/slack/oauth/v2/authorize",
    )
    location = httpx2.get(made.generate("s1") + f"&into={into}").headers["location"]
    assert location.startswith(f"{BACK}?")
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def exchanged(sandbox: Sandbox, code: str, **changed: str) -> Any:
    anybody = WebClient(base_url=sandbox.web.base_url)
    return anybody.oauth_v2_access(**{**CLIENT, "code": code, "redirect_uri": BACK, **changed})


def installed(sandbox: Sandbox, team: str = BRANCH) -> WebClient:
    token = exchanged(sandbox, answered(sandbox, team)["code"])["access_token"]
    return WebClient(token, base_url=sandbox.web.base_url)


def code_of(error: pytest.ExceptionInfo[SlackApiError]) -> str:
    return str(error.value.response["error"])


def test_the_page_offers_each_workspace_and_a_way_out(sandbox: Sandbox) -> None:
    asked = f"{sandbox.url}/slack/oauth/v2/authorize?client_id=100.200&scope=commands&redirect_uri={BACK}"
    page = httpx2.get(asked).text
    assert "Branch" in page
    assert "Sandbox" in page
    assert "Cancel" in page
    assert httpx2.get(asked.replace("100.200", "x")).status_code == 400


def test_a_code_becomes_the_token_of_a_workspace_once(sandbox: Sandbox) -> None:
    got = answered(sandbox, BRANCH)
    assert got["state"] == "s1"
    answer = exchanged(sandbox, got["code"])
    assert answer["team"] == {"id": BRANCH, "name": "Branch"}
    assert (answer["token_type"], answer["scope"]) == ("bot", "chat:write,commands")
    with pytest.raises(SlackApiError) as again:
        exchanged(sandbox, got["code"])
    assert code_of(again) == "invalid_code"


def test_whoever_cancels_gets_no_code(sandbox: Sandbox) -> None:
    assert answered(sandbox, "") == {"error": "access_denied", "state": "s1"}


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"client_secret": "no"}, "bad_client_secret"),
        ({"client_id": "no"}, "invalid_client_id"),
        ({"redirect_uri": "http://elsewhere.example/"}, "bad_redirect_uri"),
    ],
)
def test_a_code_is_for_one_app_and_one_address(sandbox: Sandbox, changed: dict[str, str], error: str) -> None:
    code = answered(sandbox, BRANCH)["code"]
    with pytest.raises(SlackApiError) as refused:
        exchanged(sandbox, code, **changed)
    assert code_of(refused) == error


def test_workspaces_are_kept_apart(sandbox: Sandbox) -> None:
    branch = installed(sandbox)
    assert branch.auth_test()["team_id"] == BRANCH
    assert sandbox.web.auth_test()["team_id"] == "T0SANDBOX"
    assert {c["name"] for c in branch.conversations_list()["channels"]} == {"general", "support"}
    posted = branch.chat_postMessage(channel="#general", text="here")
    assert posted["message"]["team"] == BRANCH
    assert sandbox.messages(GENERAL) == []
    with pytest.raises(SlackApiError) as refused:
        branch.chat_postMessage(channel=GENERAL, text="there")
    assert code_of(refused) == "channel_not_found"


def test_what_people_do_there_is_told_with_their_team(sandbox: Sandbox) -> None:
    installed(sandbox)
    where = {"user": "U0BREMIL0", "channel": "C0BRGENER"}
    sandbox.page(f"teams/{BRANCH}/say", text="/signalbox ping", **where)
    assert sandbox.bot.wait_for("command")[0].body["team_id"] == BRANCH
    sandbox.page(f"teams/{BRANCH}/say", text="hello", **where)
    heard = sandbox.bot.wait_for("message")[0].body
    assert (heard["team_id"], heard["authorizations"][0]["user_id"]) == (BRANCH, "U0BRSIGNL")


def test_a_new_token_voids_the_older_and_taking_the_app_out_voids_all(sandbox: Sandbox) -> None:
    first, second = installed(sandbox), installed(sandbox)
    with pytest.raises(SlackApiError) as refused:
        first.auth_test()
    assert code_of(refused) == "invalid_auth"
    sandbox.page(f"teams/{BRANCH}/uninstall")
    assert sandbox.bot.wait_for("tokens_revoked")[0].body["event"]["tokens"]["bot"] == ["U0BRSIGNL"]
    assert sandbox.bot.wait_for("app_uninstalled")[0].body["team_id"] == BRANCH
    with pytest.raises(SlackApiError):
        second.auth_test()


def test_an_installation_outlives_the_sandboxs_restart(tmp_path: Path) -> None:
    with running(rate_limits=False, data_dir=tmp_path) as first:
        token = installed(first).token
        WebClient(token, base_url=first.web.base_url).chat_postMessage(channel="#general", text="kept")
    with running(rate_limits=False, data_dir=tmp_path) as second:
        branch = WebClient(token, base_url=second.web.base_url)
        assert branch.conversations_history(channel="C0BRGENER")["messages"][0]["text"] == "kept"
        assert second.messages(GENERAL) == []
