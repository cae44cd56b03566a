"""The official Socket Mode client against the Slack stand-in."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import standin_server
from sandbox_slack_kit import ALICE, GENERAL, Sandbox, button, running
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

pytestmark = pytest.mark.contract

Answer = Callable[[SocketModeRequest], dict[str, Any] | None]


class Listener:
    def __init__(self, answer: Answer, *, acknowledge: bool = True) -> None:
        self.heard: list[SocketModeRequest] = []
        self._answer = answer
        self._acknowledge = acknowledge

    async def __call__(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        self.heard.append(request)
        if self._acknowledge:
            payload = self._answer(request)
            await client.send_socket_mode_response(SocketModeResponse(request.envelope_id, payload))


@asynccontextmanager
async def connected(sandbox: Sandbox, listener: Listener) -> AsyncIterator[SocketModeClient]:
    web = AsyncWebClient("xoxb-sandbox", base_url=f"{sandbox.url}/slack/api/")
    client = SocketModeClient("xapp-sandbox", web_client=web)
    client.socket_mode_request_listeners.append(listener)
    await client.connect()
    await until(lambda: sandbox.look()["sockets"] == 1)
    try:
        yield client
    finally:
        await client.close()


async def until(probe: Callable[[], bool]) -> None:
    await asyncio.to_thread(standin_server.until, probe)


async def say(sandbox: Sandbox, text: str) -> dict[str, Any]:
    return await asyncio.to_thread(sandbox.page, "say", user=ALICE, channel=GENERAL, text=text)


async def test_commands_events_and_clicks_come_over_the_socket() -> None:
    with running(rate_limits=False) as sandbox:
        listener = Listener(lambda r: {"text": "pong"} if r.type == "slash_commands" else None)
        async with connected(sandbox, listener):
            said = await say(sandbox, "/signalbox ping")
            assert (said["delivered"][0]["via"], said["delivered"][0]["error"]) == ("socket", None)
            assert sandbox.messages()[-1]["text"] == "pong"
            await say(sandbox, "hello")
            ts = sandbox.web.chat_postMessage(channel=GENERAL, text="t", blocks=[button()])["ts"]
            where = {"user": ALICE, "channel": GENERAL, "ts": ts, "block_id": "strip", "action_id": "go"}
            await asyncio.to_thread(sandbox.page, "click", **where)
        command, event, interaction = listener.heard
        assert (command.type, command.payload["command"]) == ("slash_commands", "/signalbox")
        assert (event.type, event.payload["event"]["text"]) == ("events_api", "hello")
        assert (interaction.type, interaction.payload["type"]) == ("interactive", "block_actions")
        assert sandbox.bot.heard == []


async def test_an_unacknowledged_event_comes_again_with_its_attempt() -> None:
    with running(rate_limits=False, ack_deadline_s=0.2) as sandbox:
        listener = Listener(lambda _r: None, acknowledge=False)
        async with connected(sandbox, listener):
            await say(sandbox, "hello")
            await until(lambda: len(listener.heard) == 4)
        assert [request.retry_attempt for request in listener.heard] == [0, 1, 2, 3]
        assert listener.heard[1].retry_reason == "timeout"


async def test_a_refresh_makes_the_client_reconnect() -> None:
    with running(rate_limits=False) as sandbox:
        listener = Listener(lambda _r: None)
        async with connected(sandbox, listener) as client:
            before = await client.session_id()
            assert await asyncio.to_thread(sandbox.page, "socket/refresh") == {"asked": 1}
            await until(lambda: sandbox.look()["sockets"] == 1)
            assert await client.session_id() != before
            await say(sandbox, "/signalbox ping")
        assert [request.type for request in listener.heard] == ["slash_commands"]


async def test_without_a_socket_http_takes_over_again() -> None:
    with running(rate_limits=False) as sandbox:
        async with connected(sandbox, Listener(lambda _r: None)):
            pass
        await until(lambda: sandbox.look()["sockets"] == 0)
        said = await say(sandbox, "/signalbox ping")
        assert said["delivered"][0]["via"] == "http"
        assert len(sandbox.bot.of("command")) == 1
