"""POST /api/churn/score: passed on, bytes for bytes, to the process that holds the churn model."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from bot.core.errors import BadDelivery
from bot.core.settings import ChurnSettings
from bot.web.auth import Auth
from bot.web.disconnect import unless_gone
from bot.web.errors import problem
from bot.web.model_process import ModelProcess
from bot.webhooks.body import read_limited

MAX_BODY = 4 * 2**20


class Question(BaseModel):
    """Either field, not both. A customer is `customer_id` and the model's features by name."""

    customer: dict[str, Any] | None = None
    customers: list[dict[str, Any]] | None = Field(None, max_length=1000)


class Reason(BaseModel):
    """What the probability is associated with; `value` is the customer's own, `median` that of all."""

    feature: str
    text: str
    direction: Literal["raises", "lowers"]
    impact: float
    value: Any = None
    median: Any = None


class Score(BaseModel):
    """`probability` of leaving, 0..1; reasons with the weightiest first."""

    customer_id: str
    probability: float
    band: str
    value_at_risk: float
    renewal: date | None
    reasons: list[Reason]
    model_version: str


class Scores(BaseModel):
    """One for each of `customers`, in their order."""

    results: list[Score]


_QUESTION: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": Question.model_json_schema()}},
    }
}


class Churn(ModelProcess):
    """Asks the churn model's process; the digest reads scores that were written before."""

    def __init__(self, settings: ChurnSettings) -> None:
        hint = (
            "is `python -m plugins.churn_digest.serving` running? It needs the churn pipeline; "
            "`make train-deps` installs it."
        )
        super().__init__("churn", settings.resolved_url(), settings.timeout, hint)

    async def score(self, body: bytes) -> Response:
        return await self.ask("/score", body)


def churn_router(churn: Churn, auth: Auth) -> APIRouter:
    router = APIRouter(prefix="/api/churn", tags=["churn"])

    @router.post(
        "/score",
        summary="How likely a customer, or each of up to 1,000 customers, is to leave, and why.",
        dependencies=[auth.require("write")],
        responses={200: {"model": Score | Scores}},
        openapi_extra=_QUESTION,
    )
    async def score(request: Request) -> Response:
        try:
            body = await read_limited(request.headers, request.stream(), MAX_BODY)
        except BadDelivery as exc:
            return problem(exc.status, "Invalid request", str(exc))
        answer = await unless_gone(request, churn.score(body))
        return answer or Response(status_code=499)

    return router
