"""Links in messages: told to the app whose domains they are, and shown as the cards that it sends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from sandbox_slack_kit import ALICE, GENERAL, Sandbox, running
from slack_bolt.adapter.fastapi.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from standin_server import address, listening, serving, until

from bot.core.database import Database
from bot.core.errors import Permanent, Throttled
from bot.core.events import utc_now
from bot.core.integration import Services
from bot.core.messages import Message, MessageRef, Note, Section
from bot.core.settings import Settings
from bot.core.stored_messages import StoredMessages
from integrations.slack.chat import SlackChat

pytestmark = pytest.mark.contract
TICKET = "https://desk.example/browse/SUP-1"
CARD = {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "*SUP-1* Broken"}}]}


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps({"features": {"unfurl_domains": ["desk.example"]}}))
    return file


@pytest.fixture
def sandbox(manifest: Path) -> Iterator[Sandbox]:
    with running(rate_limits=False, slack_manifest=manifest) as started:
        yield started


def say(sandbox: Sandbox, text: str) -> str:
    return str(sandbox.page("say", user=ALICE, channel=GENERAL, text=text)["ts"])


def refusal(sandbox: Sandbox, **arguments: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        sandbox.web.api_call("chat.unfurl", json=arguments)
    return str(caught.value.response["error"])


def cards(sandbox: Sandbox, ts: str) -> list[dict[str, Any]]:
    [message] = [message for message in sandbox.messages() if message["ts"] == ts]
    return list(message.get("attachments", []))


def test_links_to_the_apps_domains_are_told(sandbox: Sandbox) -> None:
    """docs.slack.dev, link_shared event."""
    ts = say(
        sandbox, f"See {TICKET}?a=1&b=2, ({TICKET}) and https://other.example/x or https://eu.desk.example/."
    )
    [heard] = sandbox.bot.wait_for("link_shared")
    event = heard.body["event"]
    assert event["links"] == [
        {"url": f"{TICKET}?a=1&amp;b=2", "domain": "desk.example"},
        {"url": TICKET, "domain": "desk.example"},
        {"url": "https://eu.desk.example/", "domain": "desk.example"},
    ]
    assert (event["channel"], event["message_ts"], event["user"]) == (GENERAL, ts, ALICE)
    assert (event["source"], event["is_bot_user_member"]) == ("conversations_history", True)
    assert f"<{TICKET}>" in sandbox.messages()[-1]["text"]


def test_other_links_are_told_to_nobody(sandbox: Sandbox) -> None:
    say(sandbox, "https://desk.example.evil.example/browse/SUP-1 http://[::1/ no link")
    assert sandbox.bot.of("link_shared") == []


def test_a_card_is_shown_once_and_replaced(sandbox: Sandbox) -> None:
    ts = say(sandbox, f"Look: {TICKET}")
    for _ in range(2):
        sandbox.web.chat_unfurl(channel=GENERAL, ts=ts, unfurls={TICKET: CARD})
    [shown] = cards(sandbox, ts)
    assert (shown["from_url"], shown["is_app_unfurl"]) == (TICKET, True)
    assert shown["blocks"][0]["text"]["text"] == "*SUP-1* Broken"
    assert "edited" not in sandbox.messages()[-1]
    unfurl_id = sandbox.bot.wait_for("link_shared")[0].body["event"]["unfurl_id"]
    by_id = {"unfurl_id": unfurl_id, "source": "conversations_history"}
    assert sandbox.web.api_call("chat.unfurl", json={**by_id, "unfurls": {TICKET: CARD}})["ok"]


def test_what_slack_refuses(sandbox: Sandbox) -> None:
    ts = say(sandbox, f"Look: {TICKET} https://other.example/x")
    here = {"channel": GENERAL, "ts": ts}
    assert refusal(sandbox, **here) == "missing_unfurls"
    assert refusal(sandbox, unfurls={TICKET: CARD}, ts=ts) == "missing_channel"
    assert refusal(sandbox, unfurls={TICKET: CARD}, channel=GENERAL) == "missing_ts"
    assert refusal(sandbox, unfurls={TICKET: CARD}, channel=GENERAL, ts="1.1") == "cannot_find_message"
    assert refusal(sandbox, unfurls={TICKET: CARD}, channel="C404", ts=ts) == "cannot_find_channel"
    assert refusal(sandbox, **here, unfurls={"https://other.example/x": CARD}) == "cannot_unfurl_url"
    assert refusal(sandbox, **here, unfurls={f"{TICKET}9": CARD}) == "cannot_unfurl_message"
    assert refusal(sandbox, **here, unfurls={TICKET: "text"}) == "invalid_unfurls_format"
    assert refusal(sandbox, **here, unfurls="{") == "cannot_parse_attachment"
    assert refusal(sandbox, **here, unfurls={TICKET: {"blocks": [{"type": "section"}]}}) == "invalid_blocks"
    assert refusal(sandbox, unfurl_id="x-1", unfurls={TICKET: CARD}) == "missing_source"
    assert cards(sandbox, ts) == []


# --- our adapter -------------------------------------------------------------------------------------


@pytest.fixture
def chat(sandbox: Sandbox, tmp_path: Path) -> Iterator[SlackChat]:
    db = Database(f"sqlite:///{tmp_path / 'chat.db'}")
    db.migrate()
    slack = {"bot_token": "xoxb-sandbox", "api_url": f"{sandbox.url}/slack/api/"}
    settings = Settings.model_validate({"slack": slack})
    yield SlackChat.connect(Services(settings, StoredMessages(db), lambda message: message, utc_now))
    db.close()


def test_our_card_stands_under_the_message(chat: SlackChat, sandbox: Sandbox) -> None:
    ref = MessageRef(channel=GENERAL, ts=say(sandbox, f"Look: {TICKET}"))
    card = Message(text="SUP-1", blocks=(Section(text="<!channel>"), Note(parts=("Open",))))
    for _ in range(2):
        assert chat.unfurl(ref=ref, cards={TICKET: card}, step_key="s")
    [shown] = cards(sandbox, ref.ts)
    assert [block["type"] for block in shown["blocks"]] == ["section", "context"]
    assert "&lt;!channel&gt;" in str(shown["blocks"])


def test_a_message_that_is_gone_gets_no_card_and_is_no_fault(chat: SlackChat, sandbox: Sandbox) -> None:
    ref = MessageRef(channel=GENERAL, ts=say(sandbox, f"Look: {TICKET}"))
    card = Message(text="SUP-1", blocks=(Section(text="x"),))
    assert not chat.unfurl(ref=MessageRef(channel=GENERAL, ts="1.1"), cards={TICKET: card}, step_key="s")
    assert not chat.unfurl(ref=ref, cards={"https://other.example/": card}, step_key="s")
    sandbox.page("faults", method="chat.unfurl", status=429, retry_after=7)
    with pytest.raises(Throttled):
        chat.unfurl(ref=ref, cards={TICKET: card}, step_key="s")


def test_a_missing_scope_is_told(chat: SlackChat, sandbox: Sandbox) -> None:
    sandbox.page("faults", method="chat.unfurl", error="cannot_find_service")
    card = Message(text="SUP-1", blocks=(Section(text="x"),))
    with pytest.raises(Permanent, match="cannot_find_service"):
        chat.unfurl(ref=MessageRef(channel=GENERAL, ts="1.1"), cards={TICKET: card}, step_key="s")


# --- a bot made with Bolt ----------------------------------------------------------------------------


def bolt_bot(sandbox_url: str) -> FastAPI:
    client = AsyncWebClient("xoxb-sandbox", base_url=f"{sandbox_url}/slack/api/")
    bolt = AsyncApp(client=client, signing_secret="sandbox-signing-secret", process_before_response=True)

    @bolt.event("link_shared")
    async def shared(event: dict[str, Any]) -> None:
        unfurls = {link["url"]: CARD for link in event["links"]}
        await client.chat_unfurl(channel=event["channel"], ts=event["message_ts"], unfurls=unfurls)

    handler, app = AsyncSlackRequestHandler(bolt), FastAPI()

    @app.post("/slack/events")
    async def events(request: Request) -> Response:
        return await handler.handle(request)

    return app


def test_a_bolt_app_unfurls_as_with_slack(manifest: Path) -> None:
    bot_socket, own_socket = listening(), listening()
    with (
        serving(bolt_bot(address(own_socket)), bot_socket),
        running(own_socket, bot_url=address(bot_socket), slack_manifest=manifest) as sandbox,
    ):
        ts = say(sandbox, f"Look: {TICKET}")
        until(lambda: len(cards(sandbox, ts)) == 1)
