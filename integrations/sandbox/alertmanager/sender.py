"""One webhook notification: tried again on server errors and lost connections, within a deadline."""

import asyncio
import json
import random
import time
from typing import Any
from uuid import uuid4

import httpx2

from integrations.sandbox.alertmanager import clock
from integrations.sandbox.deliveries import Attempt, Deliveries, Delivery, attempt
from integrations.sandbox.options import SandboxOptions

VERSION = "0.25.0"
FIRST_BACKOFF_S, BACKOFF_FACTOR, SPREAD, MAX_BACKOFF_S = 0.5, 1.5, 0.5, 60.0


class Sender:
    def __init__(self, options: SandboxOptions) -> None:
        self.deliveries = Deliveries()
        self._url = f"{options.bot_url.rstrip('/')}/webhooks/alertmanager"
        self._token = options.alertmanager_webhook_token.get_secret_value()
        self._scale = options.retry_scale
        self._client: httpx2.AsyncClient | None = None

    async def start(self) -> None:
        self._client = httpx2.AsyncClient(timeout=None, follow_redirects=True, trust_env=False)

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def send(self, body: dict[str, Any], within_s: float) -> bool:
        """Whether it was delivered. Nothing names a delivery on the wire; the id is the log's own."""
        delivery = Delivery(id=str(uuid4()), event=body["status"], subject=body["groupKey"], body=body)
        self.deliveries.add(delivery)
        try:
            async with asyncio.timeout(within_s):
                delivered = await self._until_final(delivery)
        except TimeoutError:
            delivered = False
        delivery.state = "delivered" if delivered else "failed"
        return delivered

    async def _until_final(self, delivery: Delivery) -> bool:
        content = json.dumps(delivery.body, separators=(",", ":"), ensure_ascii=False).encode()
        backoff = FIRST_BACKOFF_S * self._scale
        while True:
            status = await self._try(delivery, content)
            if status is not None and status < 500:
                return 200 <= status < 300
            await asyncio.sleep(backoff * random.uniform(1 - SPREAD, 1 + SPREAD))  # noqa: S311 - spread, not a secret
            backoff = min(backoff * BACKOFF_FACTOR, MAX_BACKOFF_S)

    async def _try(self, delivery: Delivery, content: bytes) -> int | None:
        if self._client is None:
            raise RuntimeError("The Alertmanager stand-in notifies only between start() and stop().")
        started = time.monotonic()
        try:
            outcome = await attempt(self._client, self._url, content, self._headers())
        except asyncio.CancelledError:
            waited = time.monotonic() - started
            delivery.attempts.append(Attempt(at=clock.now(), error="No answer in time.", seconds=waited))
            raise
        delivery.attempts.append(outcome)
        return outcome.status

    def _headers(self) -> dict[str, str]:
        return {
            "User-Agent": f"Alertmanager/{VERSION}",
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self._token}",
        }
