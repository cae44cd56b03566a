"""The HTTP side of the scoring process: POST /score and GET /health, for the web process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.core.errors import BadDelivery
from bot.webhooks.body import read_limited
from ml.churn.runs import Scored
from plugins.churn_digest.serving.asked import Asked, read
from plugins.churn_digest.serving.model import Model, NoModelError

MAX_BODY = 4 * 2**20
RETRY_SECONDS = "5"
_BUSY = 8
log = structlog.get_logger()


class Service:
    """One request is scored at a time; a few may wait, and more are told to come again."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._one = ThreadPoolExecutor(1, "scoring")
        self._waiting = 0

    async def health(self, _: Request) -> Response:
        """Asking loads nothing."""
        return _json({"status": "ok", "model_version": self._model.version})

    async def score(self, request: Request) -> Response:
        try:
            asked = read(await read_limited(request.headers, request.stream(), MAX_BODY))
        except BadDelivery as exc:
            return _problem(exc.status, "Invalid request", str(exc))
        if self._waiting >= _BUSY:
            return _problem(
                503, "Busy", f"{_BUSY} requests are waiting; send this again in {RETRY_SECONDS} s."
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._one, self._score, asked)
        finally:
            self._waiting -= 1

    def _score(self, asked: Asked) -> Response:
        try:
            champion = self._model.champion()
            found = champion.score(list(asked.customers))
        except NoModelError as exc:
            return _problem(503, "No model", str(exc))
        except ValueError as exc:  # a customer that the model can't read: the caller's to mend
            return _problem(422, "Invalid request", str(exc))
        results = _answers(found, champion.version)
        return _json(results[0] if asked.one else {"results": results})


def _answers(found: Sequence[Scored], version: str) -> list[dict[str, Any]]:
    return [{**score.model_dump(mode="json"), "model_version": version} for score in found]


def build(service: Service) -> Starlette:
    routes = [
        Route("/score", service.score, methods=["POST"]),
        Route("/health", service.health, methods=["GET"]),
    ]
    return Starlette(routes=routes)


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), status, media_type="application/json")


def _problem(status: int, title: str, detail: str) -> Response:
    body = {"type": "about:blank", "status": status, "title": title, "detail": detail}
    headers = {"Retry-After": RETRY_SECONDS} if status == 503 else None
    return Response(json.dumps(body), status, headers, media_type="application/problem+json")
