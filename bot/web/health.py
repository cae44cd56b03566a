"""Health in words. 503 means that this node can't take deliveries, so that a load balancer should leave it.

Redis or the workers being away is "degraded" and still 200: deliveries are accepted and kept meanwhile.
Anybody may ask, so no error's text is told: it may name hosts, folders and people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse

from bot import queue
from bot.core.errors import Transient
from bot.core.kernel import Kernel
from bot.core.ports import Health
from bot.core.registry import PluginStatus
from bot.web.churn import Churn
from bot.web.errors import described
from bot.web.looks import SharedLook
from bot.web.nlp import Nlp

OLDEST_PENDING_LIMIT = 60.0
REFUSED = "not loaded: `signalbox plugins list` says why"
OK = Health()
DOWN: dict[int | str, dict[str, Any]] = {
    503: {"description": "It can't take deliveries, or does not answer; the body says why."}
}
log = structlog.get_logger()


def health_router(kernel: Kernel, nlp: Nlp, churn: Churn) -> APIRouter:
    router = APIRouter(tags=["health"], responses=DOWN)
    system_now = SharedLook(lambda: _system(kernel))
    of_a_plugin = described(404)

    @router.get("/api/health", summary="Can this node take deliveries, and are they being worked on?")
    def health() -> JSONResponse:
        return _answer(system_now())

    @router.get("/api/system/health", summary="The same, with every installed plugin.")
    def system() -> JSONResponse:
        return _answer(system_now() | _plugins(kernel))

    @router.get(
        "/api/nlp/health",
        summary="Is tagging loaded, and does classification answer?",
        responses=of_a_plugin,
    )
    async def tagging() -> JSONResponse:
        return _answer({"autotag": _plugin(kernel, "autotag"), "classify": await nlp.health()})

    @router.get(
        "/api/churn/health",
        summary="Are churn digests loaded, and does scoring answer?",
        responses=of_a_plugin,
    )
    async def scoring() -> JSONResponse:
        return _answer({"churn-digest": _plugin(kernel, "churn-digest"), "score": await churn.health()})

    return router


def _system(kernel: Kernel) -> dict[str, Health]:
    try:
        oldest = kernel.inbox.oldest_pending_seconds()
        dead = kernel.inbox.open_counts()["dead"]
        backups = kernel.backups.health(kernel.settings.backup.alarm_days, why=False)
    except Transient as exc:
        log.error("health.database_down", error=str(exc))
        detail = "The database refuses; deliveries are answered 503. The log says why."
        return {"database": Health(status="down", detail=detail), "redis": _redis(kernel)}
    return {
        "database": OK,
        "redis": _redis(kernel),
        "inbox": _inbox(oldest),
        "dead_letters": _dead(dead),
        "backups": backups,
    }


def _redis(kernel: Kernel) -> Health:
    problem = queue.ping(kernel.settings.redis_url) if kernel.settings.redis_url else ""
    return Health(status="degraded", detail=problem) if problem else OK


def _inbox(oldest: float) -> Health:
    if oldest <= OLDEST_PENDING_LIMIT:
        return OK
    detail = f"The oldest event has waited {oldest:.0f} s: are the workers running?"
    return Health(status="degraded", detail=detail)


def _dead(count: int) -> Health:
    """Dead letters are for a person to look at; the node itself is well."""
    return Health(detail=f"{count} to look at: `signalbox inbox list --status dead`.") if count else OK


def _plugins(kernel: Kernel) -> dict[str, Health]:
    resting = dict.fromkeys(kernel.pauses.all(), "It keeps failing and rests; the console says why.")
    resting |= dict.fromkeys(kernel.switches.all(), "It was switched off; the console says by whom.")
    return {f"plugin {found.name}": _condition(found, resting) for found in kernel.registry.report}


def _condition(found: PluginStatus, resting: Mapping[str, str]) -> Health:
    if found.status == "refused":
        return Health(status="degraded", detail=REFUSED)
    if found.name in resting:
        return Health(status="degraded", detail=resting[found.name])
    return Health(detail=found.detail)


def _plugin(kernel: Kernel, name: str) -> Health:
    """Whether a plugin is loaded here; what it needs at run time only its worker knows."""
    if name in kernel.registry.plugins:
        return OK
    known = next((found for found in kernel.registry.report if found.name == name), None)
    if known is not None and known.status == "refused":
        return Health(status="down", detail=REFUSED)
    why = known.detail if known else "it is not installed"
    raise HTTPException(404, f"The plugin {name!r} is not loaded: {why}.")


def _answer(checks: Mapping[str, Health]) -> JSONResponse:
    found = {check.status for check in checks.values()}
    status = next((worst for worst in ("down", "degraded") if worst in found), "ok")
    words = {name: check.detail or check.status for name, check in checks.items()}
    body: dict[str, Any] = {"status": status, "checks": words}
    return JSONResponse(body, 503 if status == "down" else 200, headers={"Cache-Control": "no-store"})
