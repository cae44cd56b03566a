"""The sandbox as one application: stand-ins under their names, the page at `/`."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from sse_starlette import EventSourceResponse, ServerSentEvent

from integrations.sandbox import alertmanager, jira, slack
from integrations.sandbox.changes import Changes
from integrations.sandbox.guard import OwnPageOnly
from integrations.sandbox.options import SandboxOptions
from integrations.sandbox.standin import StandIn
from integrations.sandbox.static import PageFiles

PAGE = Path(__file__).parent / "page"
MAKERS: tuple[Callable[[SandboxOptions, Changes], StandIn], ...] = (
    slack.stand_in,
    jira.stand_in,
    alertmanager.stand_in,
)


def build_app(options: SandboxOptions) -> FastAPI:
    changes = Changes()
    stand_ins = [make(options, changes) for make in MAKERS]
    app = FastAPI(title="Signalbox sandbox", docs_url=None, redoc_url=None, lifespan=_lifespan(stand_ins))
    app.add_middleware(OwnPageOnly, public_url=options.public_url)
    for stand_in in stand_ins:
        app.include_router(stand_in.api, prefix=f"/{stand_in.name}")
        app.include_router(stand_in.page, prefix="/page")
    app.add_api_route("/page/stream", _stream(changes), methods=["GET"])
    app.add_api_route("/health", _health, methods=["GET"])
    app.add_api_route("/archives/{channel}/p{digits:int}", _permalink, methods=["GET"])
    app.add_api_route("/alertmanager", _alert_panel, methods=["GET"])
    app.mount("/", PageFiles(directory=PAGE, html=True))
    return app


def _lifespan(stand_ins: list[StandIn]) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as running:
            for stand_in in stand_ins:
                await stand_in.start()
                running.push_async_callback(stand_in.stop)
            yield

    return lifespan


def _stream(changes: Changes) -> Callable[[], object]:
    async def events() -> AsyncGenerator[ServerSentEvent, None]:
        yield ServerSentEvent(json.dumps({"kind": "hello"}))
        async for change in changes.subscribe():
            yield ServerSentEvent(json.dumps(change.as_json()))

    async def stream() -> EventSourceResponse:
        return EventSourceResponse(events())

    return stream


async def _permalink(channel: str, digits: int) -> RedirectResponse:
    """Slack's permalinks open the page at the message."""
    ts = f"{digits // 1_000_000}.{digits % 1_000_000:06d}"
    return RedirectResponse("/?" + urlencode({"channel": channel, "ts": ts}))


async def _alert_panel() -> RedirectResponse:
    """Where notifications say that Alertmanager's own page is."""
    return RedirectResponse("/#alerts")


async def _health() -> dict[str, str]:
    return {"status": "ok"}
