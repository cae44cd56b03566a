"""Real servers on free loopback ports for the stand-ins, and a bot that keeps the webhooks it gets."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response

from integrations.sandbox.standin import StandIn

DEADLINE_S = 15.0


def until(probe: Callable[[], Any]) -> Any:
    """What `probe` answers once it is true."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := probe()):
        assert time.monotonic() < deadline, "What the test waits for did not come in time."
        time.sleep(0.02)
    return found


def listening() -> socket.socket:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


def address(sock: socket.socket) -> str:
    return f"http://127.0.0.1:{sock.getsockname()[1]}"


@contextmanager
def serving(app: FastAPI, sock: socket.socket) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[sock])), daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        yield address(sock)
    finally:
        server.should_exit = True
        thread.join(DEADLINE_S)


def mounted(stand_in: StandIn) -> FastAPI:
    """As the sandbox application mounts it."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await stand_in.start()
        yield
        await stand_in.stop()

    app = FastAPI(lifespan=lifespan)
    app.include_router(stand_in.api, prefix=f"/{stand_in.name}")
    app.include_router(stand_in.page, prefix="/page")
    return app


class Bot:
    """Keeps every webhook; answers 200, or as told for bodies that contain a text, first in first out."""

    def __init__(self, path: str) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self._answers: dict[bytes, list[int]] = {}
        self.app = FastAPI()
        self.app.add_api_route(path, self.receive, methods=["POST"])

    def answer(self, text: str, statuses: list[int]) -> None:
        self._answers[text.encode()] = list(statuses)

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        self.got.append((dict(request.headers), body))
        told = next((answers for text, answers in self._answers.items() if text in body), [])
        return Response(status_code=told.pop(0) if told else 200)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in list(self.got)]


@contextmanager
def sandbox(bot: Bot, build: Callable[[str, str], StandIn]) -> Iterator[str]:
    """A bot and a stand-in made by `build(bot_url, public_url)`; yields the stand-in's server."""
    bot_socket, sandbox_socket = listening(), listening()
    app = mounted(build(address(bot_socket), address(sandbox_socket)))
    with ExitStack() as stack:
        servers: list[AbstractContextManager[str]] = [
            serving(bot.app, bot_socket),
            serving(app, sandbox_socket),
        ]
        yield [stack.enter_context(server) for server in servers][-1]
