"""The metrics of all processes of this node, for Prometheus to scrape."""

from __future__ import annotations

import structlog
from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from bot.core import metrics
from bot.core.errors import Transient
from bot.core.kernel import Kernel
from bot.web.looks import SharedLook

log = structlog.get_logger()


def metrics_router(kernel: Kernel) -> APIRouter:
    router = APIRouter(tags=["health"])
    now = SharedLook(lambda: _told(kernel))

    @router.get(
        "/metrics",
        summary="Prometheus metrics of all processes of this node.",
        response_class=Response,
        responses={200: {"content": {CONTENT_TYPE_LATEST.partition(";")[0]: {"schema": {"type": "string"}}}}},
    )
    def prometheus() -> Response:
        return Response(now(), media_type=CONTENT_TYPE_LATEST)

    return router


def _told(kernel: Kernel) -> bytes:
    _measure(kernel)
    return generate_latest(metrics.node_registry())


def _measure(kernel: Kernel) -> None:
    """Figures that live in the database are read when somebody asks; without it the others are still told."""
    try:
        counts, oldest = kernel.inbox.open_counts(), kernel.inbox.oldest_pending_seconds()
    except Transient as exc:
        log.warning("metrics.database_down", error=str(exc))
        return
    for status, count in counts.items():
        metrics.INBOX_RUNS.labels(status).set(count)
    metrics.INBOX_OLDEST.set(oldest)
