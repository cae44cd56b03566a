"""POST /api/nlp/classify: passed on, bytes for bytes, to the process that holds the model.

This process never loads it. Only the configured address is asked, no redirect is followed, and no proxy of
the environment is used.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import aiohttp
import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from bot.core.errors import BadDelivery
from bot.core.ports import Health
from bot.core.settings import NlpSettings
from bot.web.auth import Auth
from bot.web.disconnect import unless_gone
from bot.web.errors import problem
from bot.webhooks.body import read_limited

MAX_BODY = 4 * 2**20
MAX_IN_FLIGHT = 128
HEALTH_SECONDS = 2.0
RETRY = {"Retry-After": "1"}
_PASSED_ON = {"Retry-After"}
_EXPECTED = {200, 400, 413, 422, 503}
log = structlog.get_logger()


class Question(BaseModel):
    """Either field, not both."""

    text: str | None = None
    texts: list[str] | None = Field(None, max_length=1000)


class Prediction(BaseModel):
    """`category` is null when none fits; `scores` has the likeliest first; `note` says what was not read."""

    category: str | None
    confidence: float
    band: Literal["apply", "suggest", "leave"]
    reason: str
    scores: dict[str, float]
    note: str | None
    model_version: str


class Predictions(BaseModel):
    """One for each of `texts`, in their order."""

    results: list[Prediction]


_QUESTION: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": Question.model_json_schema()}},
    }
}


class Nlp:
    """Asks the model's process; the connections are opened on first use and kept."""

    def __init__(self, settings: NlpSettings) -> None:
        self._url = settings.resolved_url()
        self._timeout = aiohttp.ClientTimeout(total=settings.timeout)
        self._session: aiohttp.ClientSession | None = None
        self._in_flight = 0

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def classify(self, body: bytes) -> Response:
        """What the process answers; 503 with Retry-After when it does not, or when too many ask at once."""
        if self._in_flight >= MAX_IN_FLIGHT:
            return problem(503, "Busy", "Too many classifications are under way; try again in 1 s.", RETRY)
        self._in_flight += 1
        try:
            return await self._ask(body)
        except TimeoutError:
            log.warning("nlp.slow", url=self._url)
            return problem(503, "Try again", "The model did not answer in time; try again in 1 s.", RETRY)
        except aiohttp.ClientError as exc:
            log.warning("nlp.away", url=self._url, error=str(exc))
            return problem(503, "Try again", f"{self._away()} Try again in 1 s.", RETRY)
        finally:
            self._in_flight -= 1

    async def _ask(self, body: bytes) -> Response:
        headers = {"Content-Type": "application/json"}
        async with self._open().post(
            f"{self._url}/classify", data=body, headers=headers, allow_redirects=False
        ) as answer:
            if answer.status not in _EXPECTED:
                log.error("nlp.failed", url=self._url, status=answer.status)
                return problem(
                    502, "Failed", f"The model's process answered {answer.status}; its log has more."
                )
            kept = {name: answer.headers[name] for name in _PASSED_ON if name in answer.headers}
            return Response(await answer.read(), answer.status, kept, answer.content_type)

    async def health(self) -> Health:
        """Degraded when it is away: only this endpoint suffers; workers tag tickets with their own model."""
        limit = aiohttp.ClientTimeout(total=HEALTH_SECONDS)
        try:
            async with self._open().get(
                f"{self._url}/health", timeout=limit, allow_redirects=False
            ) as answer:
                told = json.loads(await answer.read())
        except (TimeoutError, aiohttp.ClientError, ValueError):
            return Health(status="degraded", detail=self._away())
        if told.get("status") != "ok":
            return Health(status="degraded", detail=str(told.get("detail", "")))
        return Health(detail=f"model {told.get('model_version')}")

    def _away(self) -> str:
        command = "python -m plugins.autotag.serving"
        return f"The model's process does not answer at {self._url}: is `{command}` running?"

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=MAX_IN_FLIGHT)
            self._session = aiohttp.ClientSession(connector=connector, timeout=self._timeout)
        return self._session


def nlp_router(nlp: Nlp, auth: Auth) -> APIRouter:
    router = APIRouter(prefix="/api/nlp", tags=["nlp"])

    @router.post(
        "/classify",
        summary="Which category a text, or each of up to 1,000 texts, belongs to.",
        dependencies=[auth.require("write")],
        responses={200: {"model": Prediction | Predictions}},
        openapi_extra=_QUESTION,
    )
    async def classify(request: Request) -> Response:
        try:
            body = await read_limited(request.headers, request.stream(), MAX_BODY)
        except BadDelivery as exc:
            return problem(exc.status, "Invalid request", str(exc))
        answer = await unless_gone(request, nlp.classify(body))
        return answer or Response(status_code=499)

    return router
