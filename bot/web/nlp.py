"""POST /api/nlp/classify: passed on, bytes for bytes, to the process that holds the model."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from bot.core.errors import BadDelivery
from bot.core.settings import NlpSettings
from bot.web.auth import Auth
from bot.web.disconnect import unless_gone
from bot.web.errors import problem
from bot.web.model_process import ModelProcess
from bot.webhooks.body import read_limited

MAX_BODY = 4 * 2**20


class Question(BaseModel):
    """Either field, not both."""

    text: str | None = None
    texts: list[str] | None = Field(None, max_length=1000)


class Prediction(BaseModel):
    """`category` is null when none fits; `also`: further ones, of a model that knows several a text.

    `language` is null when it can't be said for sure; `scores` has the likeliest first; `note` says what was
    not read.
    """

    category: str | None
    also: list[str] = []
    language: str | None = None
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


class Nlp(ModelProcess):
    """Asks the tagging model's process; workers tag tickets with their own model."""

    def __init__(self, settings: NlpSettings) -> None:
        hint = "is `python -m plugins.autotag.serving` running?"
        super().__init__("nlp", settings.resolved_url(), settings.timeout, hint)

    async def classify(self, body: bytes) -> Response:
        return await self.ask("/classify", body)


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
