"""POST /webhooks/…: verify, normalise, commit, answer. Nothing else happens before the 2xx."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.core import metrics
from bot.core.errors import BadDelivery, Transient
from bot.core.events import Delivery, Receipt
from bot.core.group_commit import Overloaded
from bot.core.intake import Intake
from bot.core.integration import Source
from bot.webhooks.backlog import Backlog
from bot.webhooks.body import read_limited
from bot.webhooks.limits import DoorLimits

log = structlog.get_logger()
RETRY_AFTER = "5"
_TOO_MANY = 429
_BUSY_SECONDS = 30.0
_PUBLIC = {400: "malformed", 401: "not authentic", 404: "unknown source", 413: "too large"}


class Webhooks:
    """Args:
    sources: by the name that stands in the path; Slack's and the clock's have no door here.
    intake: built when the process starts to serve, hence a function.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        intake: Callable[[], Intake],
        clock: Callable[[], datetime],
        limits: DoorLimits,
        backlog: Backlog,
    ) -> None:
        self._sources = {name: s for name, s in sources.items() if name not in {"slack", "schedule"}}
        self._intake = intake
        self._clock = clock
        self._limits = limits
        self._backlog = backlog

    def routes(self) -> list[Route]:
        return [
            Route("/webhooks/generic/{name}", self.receive_generic, methods=["POST"]),
            Route("/webhooks/{source}", self.receive, methods=["POST"]),
        ]

    async def receive(self, request: Request) -> Response:
        return await self._receive(request, request.path_params["source"])

    async def receive_generic(self, request: Request) -> Response:
        return await self._receive(request, "generic", request.path_params["name"])

    async def _receive(self, request: Request, source_name: str, name: str = "") -> Response:
        with metrics.ACK_SECONDS.labels(source_name if source_name in self._sources else "unknown").time():
            try:
                receipt = await self._accept(request, source_name, name)
            except BadDelivery as exc:
                return self._refuse(source_name, exc)
            except Overloaded as exc:
                return self._shed(source_name, name, exc)
            except Transient as exc:
                log.error("delivery.not_stored", source=source_name, error=str(exc))
                return JSONResponse(
                    {"error": "not stored; send it again"}, 503, headers={"Retry-After": RETRY_AFTER}
                )
        if receipt is None:
            return JSONResponse({"ignored": True}, 202)
        outcome = "duplicate" if receipt.duplicate else "accepted"
        metrics.INBOX_RECEIVED.labels(source_name, outcome).inc()
        return JSONResponse({"id": receipt.event_id, "duplicate": receipt.duplicate}, 202)

    async def _accept(self, request: Request, source_name: str, name: str) -> Receipt | None:
        source = self._sources.get(source_name)
        if source is None:
            raise BadDelivery(f"There is no webhook source {source_name[:80]!r}.", status=404)
        headers: dict[str, str] = dict(request.headers)
        body = await read_limited(headers, request.stream(), source.max_body)
        delivery = Delivery(source_name, body, headers, name)
        now = self._clock()
        source.verify(delivery, now)
        if seconds := self._limits.source.wait(source_name, name):
            raise Overloaded(f"{source_name} sends more than the setting limits.source.", retry_after=seconds)
        if self._backlog.is_full and _overload_status(source) == _TOO_MANY:
            raise Overloaded("More waits than the setting limits.backlog.", retry_after=_BUSY_SECONDS)
        event = source.normalise(delivery, now)
        return None if event is None else await self._intake().accept(event)

    def _shed(self, source_name: str, name: str, exc: Overloaded) -> Response:
        """429, or what else makes this source send it again."""
        metrics.INBOX_RECEIVED.labels(source_name, "shed").inc()
        status = _overload_status(self._sources[source_name])
        seconds = str(math.ceil(exc.retry_after or 1))
        headers = {**self._limits.source.headers(source_name, name), "Retry-After": seconds}
        return JSONResponse({"error": "too many; send it again"}, status, headers=headers)

    def _refuse(self, source_name: str, exc: BadDelivery) -> Response:
        known = source_name if source_name in self._sources else "unknown"
        metrics.INBOX_RECEIVED.labels(known, "refused").inc()
        if not self._limits.failures.wait(known):  # a flood of forgeries shall not fill the log too
            log.warning("delivery.refused", source=known, status=exc.status, error=str(exc))
        body: dict[str, Any] = {"error": _PUBLIC.get(exc.status, "refused")}
        if exc.status in {400, 413}:  # the sender's to mend, and it proved who it is
            body["detail"] = str(exc)
        return JSONResponse(body, exc.status)


def _overload_status(source: Source) -> int:
    """Sources for which 429 is the end of the matter name another status, and are not sent away lightly."""
    return getattr(source, "overload_status", _TOO_MANY)
