"""Sign in with Slack, as the official SDK speaks it, against the Slack stand-in."""

from collections.abc import Iterator
from urllib.parse import parse_qs, quote, urlsplit

import httpx2
import pytest
from sandbox_slack_kit import BOB, Sandbox, running
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth import OpenIDConnectAuthorizeUrlGenerator

pytestmark = pytest.mark.contract
CLIENT, SECRET, BACK = "100.200", "sandbox-client-secret", "http://bot.example/sign-in/slack/done"


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with running(rate_limits=False) as sandbox:
        yield sandbox


def asked(shared: Sandbox, **changed: str) -> str:
    site = shared.web.base_url.removesuffix("api/")
    generator = OpenIDConnectAuthorizeUrlGenerator(
        client_id=changed.get("client_id", CLIENT),
        redirect_uri=quote(changed.get("redirect_uri", BACK), safe=""),
        scopes=("openid", "profile"),
        authorization_url=f"{site}openid/connect/authorize",
    )
    return str(generator.generate("st4te"))


def agreed(shared: Sandbox, user: str) -> dict[str, list[str]]:
    answer = httpx2.get(f"{asked(shared)}&user={user}")
    assert answer.status_code == 303
    where = urlsplit(answer.headers["location"])
    assert where.netloc == "bot.example"
    return parse_qs(where.query)


def exchanged(shared: Sandbox, code: str, secret: str = SECRET) -> str:
    client = WebClient(base_url=shared.web.base_url)
    answer = client.openid_connect_token(client_id=CLIENT, client_secret=secret, code=code, redirect_uri=BACK)
    return str(answer["access_token"])


def test_a_code_leads_to_who_it_was(shared: Sandbox) -> None:
    back = agreed(shared, BOB)
    assert back["state"] == ["st4te"]
    token = exchanged(shared, back["code"][0])
    told = WebClient(token, base_url=shared.web.base_url).openid_connect_userInfo()
    assert (told["https://slack.com/user_id"], told["https://slack.com/team_id"]) == (BOB, "T0SANDBOX")


def test_a_code_works_once_and_with_the_secret_only(shared: Sandbox) -> None:
    code = agreed(shared, BOB)["code"][0]
    with pytest.raises(SlackApiError, match="bad_client_secret"):
        exchanged(shared, code, "guessed")
    exchanged(shared, code)
    with pytest.raises(SlackApiError, match="invalid_code"):
        exchanged(shared, code)


def test_a_bot_token_says_nothing_of_a_person(shared: Sandbox) -> None:
    with pytest.raises(SlackApiError, match="invalid_auth"):
        shared.web.openid_connect_userInfo()


def test_whoever_cancels_sends_no_code(shared: Sandbox) -> None:
    answer = httpx2.get(f"{asked(shared)}&user=")
    assert parse_qs(urlsplit(answer.headers["location"]).query)["error"] == ["access_denied"]


@pytest.mark.parametrize("changed", [{"client_id": "1.1"}, {"redirect_uri": "javascript:alert(1)"}])
def test_a_wrong_request_leads_nowhere(shared: Sandbox, changed: dict[str, str]) -> None:
    assert httpx2.get(asked(shared, **changed)).status_code == 400


def test_the_page_names_the_people_and_where_they_go(shared: Sandbox) -> None:
    page = httpx2.get(asked(shared)).text
    assert "Bob Oncall" in page
    assert "bot.example" in page
