"""A bot written with Bolt for Python works against the stand-in as it would against Slack."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from sandbox_slack_kit import ALICE, GENERAL, Sandbox, modal, running
from slack_bolt.adapter.fastapi.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond, AsyncSay
from slack_sdk.web.async_client import AsyncWebClient
from standin_server import address, listening, serving, until

pytestmark = pytest.mark.contract


def bolt_bot(sandbox_url: str) -> FastAPI:
    client = AsyncWebClient("xoxb-sandbox", base_url=f"{sandbox_url}/slack/api/")
    bolt = AsyncApp(client=client, signing_secret="sandbox-signing-secret", process_before_response=True)

    @bolt.command("/signalbox")
    async def ask(ack: AsyncAck, body: dict[str, Any]) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=modal())
        await ack("opening")

    @bolt.view("ask")
    async def asked(ack: AsyncAck, view: dict[str, Any]) -> None:
        typed = view["state"]["values"]["name"]["typed"]["value"]
        if typed == "nobody":
            await ack(response_action="errors", errors={"name": "Who?"})
            return
        await client.chat_postMessage(channel=GENERAL, text=f"hello {typed}")
        await ack()

    @bolt.shortcut("ask-about")
    async def ask_about(ack: AsyncAck, shortcut: dict[str, Any], respond: AsyncRespond) -> None:
        await ack()
        await client.views_open(trigger_id=shortcut["trigger_id"], view=modal())
        await respond(f"about {shortcut['message']['text']}")

    @bolt.event("app_mention")
    async def mentioned(say: AsyncSay) -> None:
        await say("you called?")

    handler, app = AsyncSlackRequestHandler(bolt), FastAPI()

    @app.post("/slack/events")
    async def events(request: Request) -> Response:
        return await handler.handle(request)

    return app


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    bot_socket, own_socket = listening(), listening()
    with (
        serving(bolt_bot(address(own_socket)), bot_socket),
        running(
            own_socket, bot_url=address(bot_socket), rate_limits=False, echo_own_messages=True
        ) as started,
    ):
        yield started


def test_a_command_opens_a_modal_whose_answer_is_checked_and_posted(sandbox: Sandbox) -> None:
    said = sandbox.page("say", user=ALICE, channel=GENERAL, text="/signalbox ask")
    assert said["delivered"][0]["status"] == 200
    assert sandbox.messages()[-1]["text"] == "opening"
    view = sandbox.look()["views"][0]
    place = {"user": ALICE, "view_id": view["id"]}
    assert sandbox.page("submit", **place, values={"name": {"typed": "nobody"}})["errors"] == {"name": "Who?"}
    sandbox.page("submit", **place, values={"name": {"typed": "Ada"}})
    assert sandbox.messages()[-1]["text"] == "hello Ada"
    assert sandbox.look()["views"] == []


def test_a_message_shortcut_opens_a_modal_and_answers(sandbox: Sandbox) -> None:
    ts = sandbox.page("say", user=ALICE, channel=GENERAL, text="the parcel")["ts"]
    chosen = sandbox.page("shortcut", user=ALICE, callback_id="ask-about", channel=GENERAL, ts=ts)
    assert chosen["delivered"][0]["status"] == 200
    assert sandbox.look()["views"][0]["callback_id"] == "ask"
    assert [m["ephemeral_for"] for m in sandbox.messages() if m["text"] == "about the parcel"] == [ALICE]


def test_a_mention_is_answered_and_the_answer_not_answered(sandbox: Sandbox) -> None:
    sandbox.page("say", user=ALICE, channel=GENERAL, text="hey @signalbox")
    until(lambda: any(m["text"] == "you called?" for m in sandbox.messages()))
    assert sum(m["text"] == "you called?" for m in sandbox.messages()) == 1
