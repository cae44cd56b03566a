"""The log of webhooks that a stand-in sent, which the page shows, and one attempt of sending."""

import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import httpx2
from pydantic import BaseModel, Field

KEPT = 200


class Attempt(BaseModel):
    at: datetime
    status: int | None = None
    error: str | None = None
    seconds: float = 0.0

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Delivery(BaseModel):
    id: str
    event: str
    subject: str
    body: dict[str, Any]
    state: Literal["pending", "delivered", "failed"] = "pending"
    attempts: list[Attempt] = Field(default_factory=list)


class Deliveries:
    """The newest deliveries, newest first."""

    def __init__(self) -> None:
        self._kept: deque[Delivery] = deque(maxlen=KEPT)

    def add(self, delivery: Delivery) -> None:
        self._kept.appendleft(delivery)

    def as_json(self) -> list[dict[str, Any]]:
        return [delivery.model_dump(mode="json") for delivery in self._kept]


async def attempt(
    client: httpx2.AsyncClient, url: str, content: bytes, headers: Mapping[str, str]
) -> Attempt:
    """Send once. A connection that fails is an outcome, not an exception: the log shows it."""
    started, at = time.monotonic(), datetime.now(UTC)
    try:
        response = await client.post(url, content=content, headers=dict(headers))
    except httpx2.RequestError as exc:
        error = f"{type(exc).__name__}: {exc}".rstrip(": ")
        return Attempt(at=at, error=error, seconds=time.monotonic() - started)
    return Attempt(at=at, status=response.status_code, seconds=time.monotonic() - started)
