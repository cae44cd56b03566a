"""Health: what is wrong, in words, with 200 or 503. And the metrics."""

from __future__ import annotations

import os
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest, multiprocess

from bot import queue
from bot.core import metrics
from bot.core.errors import Transient
from bot.core.kernel import Kernel

OLDEST_PENDING_LIMIT = 60.0


def health_router(kernel: Kernel) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/api/health", summary="Is this node able to take and hand on deliveries?")
    def health() -> JSONResponse:
        return _answer(_system(kernel))

    @router.get("/api/system/health", summary="The same, with plugins that were not loaded.")
    def system() -> JSONResponse:
        checks = _system(kernel)
        for status in kernel.registry.report:
            if status.status == "refused":
                checks[f"plugin {status.name}"] = status.detail
        return _answer(checks)

    @router.get("/api/nlp/health", summary="Tagging.")
    def nlp() -> JSONResponse:
        return _answer({"autotag": _plugin(kernel, "autotag")})

    @router.get("/api/churn/health", summary="Churn digests.")
    def churn() -> JSONResponse:
        return _answer({"churn-digest": _plugin(kernel, "churn-digest")})

    @router.get("/metrics", summary="Prometheus metrics of all processes of this node.")
    def prometheus() -> Response:
        _measure(kernel)
        return Response(generate_latest(_registry()), media_type=CONTENT_TYPE_LATEST)

    return router


def _system(kernel: Kernel) -> dict[str, str]:
    """Each part with what is wrong with it; empty when it is well."""
    checks = {"database": "", "redis": "", "inbox": ""}
    try:
        oldest = kernel.inbox.oldest_pending_seconds()
    except Transient as exc:
        checks["database"] = str(exc)
        return checks
    if oldest > OLDEST_PENDING_LIMIT:
        checks["inbox"] = f"The oldest event has waited {oldest:.0f} s: are the workers running?"
    if kernel.settings.redis_url:
        checks["redis"] = queue.ping(kernel.settings.redis_url)
    return checks


def _plugin(kernel: Kernel, name: str) -> str:
    if name in kernel.registry.plugins:
        return ""
    known = next((status for status in kernel.registry.report if status.name == name), None)
    return f"{known.status}: {known.detail}" if known else f"The plugin {name!r} is not installed."


def _answer(checks: dict[str, str]) -> JSONResponse:
    wrong = {name: detail for name, detail in checks.items() if detail}
    body: dict[str, Any] = {
        "status": "degraded" if wrong else "ok",
        "checks": {n: d or "ok" for n, d in checks.items()},
    }
    return JSONResponse(body, 503 if wrong else 200)


def _measure(kernel: Kernel) -> None:
    """Figures that live in the database are read when somebody asks."""
    for status, count in kernel.inbox.counts().items():
        if status != "done":
            metrics.INBOX_RUNS.labels(status).set(count)
    metrics.INBOX_OLDEST.set(kernel.inbox.oldest_pending_seconds())


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:  # noqa: TID251  # prometheus_client's own switch
        return REGISTRY
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
