"""The HTTP side of the model's process: POST /classify and GET /health, for the web process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.core.errors import BadDelivery
from bot.web.disconnect import unless_gone
from bot.webhooks.body import read_limited
from plugins.autotag.serving.asked import Asked, read
from plugins.autotag.serving.engine import Engine, QueueFullError
from plugins.autotag.serving.model import Model

MAX_BODY = 4 * 2**20
RETRY_SECONDS = "1"
LOOK_SECONDS = 5.0
"""How often it looks whether another model was promoted."""
log = structlog.get_logger()


class Service:
    """Args:
    loading: the model to be; until it is there, callers are told to come again.
    newer: the model that was promoted since the one in a folder was loaded, if any; called in a thread.
    """

    def __init__(
        self,
        loading: Future[Model],
        max_queue: int,
        threads: int = 1,
        newer: Callable[[Path], Model | None] = lambda _: None,
    ) -> None:
        self._loading = loading
        self._newer = newer
        self._max_queue = max_queue
        self._threads = threads
        self._model: Model | None = None
        self._engine: Engine[dict[str, Any]] | None = None

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """The server has answered what it had accepted before this ends."""
        work = asyncio.create_task(self._work())
        yield
        work.cancel()

    async def _work(self) -> None:
        try:
            self._model = await asyncio.wrap_future(self._loading)
        except Exception:  # noqa: BLE001  # logged where it happened; `_absence` tells it to callers
            return
        self._engine = Engine(self._tag, self._max_queue, self._threads)
        log.info("nlp.ready", model=self._model.version)
        await asyncio.gather(self._engine.run(), self._follow(self._model))

    def _tag(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        model = self._model
        return model.tag(texts) if model else []

    async def _follow(self, model: Model) -> None:
        """Take a model that was promoted; one that can't be loaded is told once, and the old one serves."""
        told = ""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                found = await asyncio.to_thread(self._newer, model.folder)
            except Exception as exc:  # noqa: BLE001  # whatever is wrong with the new one
                if str(exc) != told:
                    log.error("model.not_loaded", error=str(exc), serves=model.version)
                told = str(exc)
                continue
            if found is not None:
                log.info("model.replaced", before=model.version, after=found.version)
                self._model = model = found

    async def health(self, _: Request) -> Response:
        if self._engine is None or self._model is None:
            return _json({"status": "down", "detail": self._absence()}, 503)
        return _json({"status": "ok", "model_version": self._model.version, "queued": self._engine.queued})

    async def classify(self, request: Request) -> Response:
        try:
            asked = read(await read_limited(request.headers, request.stream(), MAX_BODY))
        except BadDelivery as exc:
            return _problem(exc.status, "Invalid request", str(exc))
        if self._engine is None:
            return _problem(503, "Not ready", self._absence())
        answered = await unless_gone(request, self._answer(asked, self._engine))
        return answered or Response(status_code=499)

    async def _answer(self, asked: Asked, engine: Engine[dict[str, Any]]) -> Response:
        try:
            found = await engine.classify(asked.texts)
        except QueueFullError:
            return _problem(
                503, "Busy", f"{engine.queued:,} texts are waiting; send this again in {RETRY_SECONDS} s."
            )
        return _json(found[0] if asked.one else {"results": found})

    def _absence(self) -> str:
        if not self._loading.done():
            return "The model is being loaded; try again in a few seconds."
        return f"The model can't be loaded: {self._loading.exception()}"


def build(service: Service) -> Starlette:
    routes = [
        Route("/classify", service.classify, methods=["POST"]),
        Route("/health", service.health, methods=["GET"]),
    ]
    return Starlette(routes=routes, lifespan=service.lifespan)


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), status, media_type="application/json")


def _problem(status: int, title: str, detail: str) -> Response:
    body = {"type": "about:blank", "status": status, "title": title, "detail": detail}
    headers = {"Retry-After": RETRY_SECONDS} if status == 503 else None
    return Response(json.dumps(body), status, headers, media_type="application/problem+json")
