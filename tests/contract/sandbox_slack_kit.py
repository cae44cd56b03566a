"""A sandbox on a free port, and a bot that checks signatures and answers as a test tells it."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx2
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from slack_sdk import WebClient
from slack_sdk.signature import SignatureVerifier
from standin_server import address, listening, serving, until

from integrations.sandbox.app import build_app
from integrations.sandbox.options import SandboxOptions

ALICE, BOB, CAROL, BOT = "U0SBALICE", "U0SBBOB00", "U0SBCAROL", "U0SIGNALB"
GENERAL, SUPPORT = "C0GENERAL", "C0SUPPORT"


@dataclass
class Heard:
    headers: dict[str, str]
    body: dict[str, Any]
    at: float = field(default_factory=time.time)

    @property
    def type(self) -> str:
        if "command" in self.body:
            return "command"
        return str(self.body.get("event", self.body)["type"])


class Bot:
    """Hears everything, refuses bad signatures; `answer` decides on the reply."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.answer: Callable[[Heard], Response | None] = lambda _heard: None
        self.app = FastAPI()
        self.app.add_api_route("/slack/events", self.receive, methods=["POST"])
        self._verifier = SignatureVerifier("sandbox-signing-secret")

    async def receive(self, request: Request) -> Response:
        raw = await request.body()
        if not self._verifier.is_valid_request(raw, dict(request.headers)):
            return Response(status_code=401)
        heard = Heard(dict(request.headers), _parsed(request.headers["content-type"], raw))
        self.heard.append(heard)
        if heard.type == "url_verification":
            return JSONResponse({"challenge": heard.body["challenge"]})
        return await _ran(self.answer, heard) or Response()

    def of(self, kind: str) -> list[Heard]:
        return [heard for heard in list(self.heard) if heard.type == kind]

    def wait_for(self, kind: str, count: int = 1) -> list[Heard]:
        until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)


@dataclass
class Sandbox:
    url: str
    bot: Bot
    web: WebClient
    http: httpx2.Client

    def page(self, path: str, **body: Any) -> dict[str, Any]:
        answer = self.http.post(f"{self.url}/page/slack/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def look(self, user: str = ALICE) -> dict[str, Any]:
        return dict(self.http.get(f"{self.url}/page/slack/state", params={"user": user}).json())

    def messages(self, channel: str = GENERAL, user: str = ALICE) -> list[dict[str, Any]]:
        return list(self.look(user)["messages"][channel])


@contextmanager
def running(own_socket: socket.socket | None = None, **options: Any) -> Iterator[Sandbox]:
    bot, bot_socket, own_socket = Bot(), listening(), own_socket or listening()
    addresses = {"bot_url": address(bot_socket), "public_url": address(own_socket)}
    chosen = SandboxOptions(**{**addresses, "retry_scale": 0.0, "echo_own_messages": False, **options})
    with ExitStack() as stack:
        stack.enter_context(serving(bot.app, bot_socket))
        url = stack.enter_context(serving(build_app(chosen), own_socket))
        http = stack.enter_context(httpx2.Client(timeout=20))
        yield Sandbox(url, bot, WebClient("xoxb-sandbox", base_url=f"{url}/slack/api/"), http)


def button(action_id: str = "go", **more: Any) -> dict[str, Any]:
    text = {"type": "plain_text", "text": "Go"}
    element = {"type": "button", "text": text, "action_id": action_id, "value": "v1", **more}
    return {"type": "actions", "block_id": "strip", "elements": [element]}


def modal(**more: Any) -> dict[str, Any]:
    name = {
        "type": "input",
        "block_id": "name",
        "label": {"type": "plain_text", "text": "Name"},
        "element": {"type": "plain_text_input", "action_id": "typed"},
    }
    title, submit = {"type": "plain_text", "text": "Ask"}, {"type": "plain_text", "text": "Send"}
    return {"type": "modal", "callback_id": "ask", "title": title, "submit": submit, "blocks": [name], **more}


async def _ran(answer: Callable[[Heard], Any], heard: Heard) -> Response | None:
    given = answer(heard)
    return await given if hasattr(given, "__await__") else given


def _parsed(content_type: str, raw: bytes) -> dict[str, Any]:
    if content_type == "application/json":
        return dict(json.loads(raw))
    form = {name: values[0] for name, values in parse_qs(raw.decode(), keep_blank_values=True).items()}
    return dict(json.loads(form["payload"])) if "payload" in form else form
