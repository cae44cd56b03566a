"""Composition root of the web process. It loads declarations, never a model or a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib import metadata
from itertools import chain

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.routing import BaseRoute

from bot.console.routes import STATIC, console_router
from bot.console.slack_install import install_router
from bot.core.errors import ConfigError
from bot.core.group_commit import GroupCommit
from bot.core.intake import Intake
from bot.core.kernel import Kernel
from bot.queue import CeleryQueue
from bot.slack.front import SlackFront
from bot.slack.teams import Teams
from bot.web import errors
from bot.web.api import api_router
from bot.web.auth import Auth
from bot.web.body_limit import BodyLimit
from bot.web.churn import Churn, churn_router
from bot.web.doors import Doors
from bot.web.health import health_router
from bot.web.limits import ApiLimits, RateLimitHeaders
from bot.web.nlp import Nlp, nlp_router
from bot.web.openapi import add_openapi_page
from bot.web.prometheus import metrics_router
from bot.web.security_headers import SecurityHeaders
from bot.webhooks.backlog import Backlog
from bot.webhooks.limits import DoorLimits
from bot.webhooks.routes import Webhooks

VERSION = metadata.version("signalbox")
log = structlog.get_logger()


def build_web(kernel: Kernel, queue: CeleryQueue) -> FastAPI:
    """Wire the web process; the database is migrated by the time it starts to serve."""
    commit = GroupCommit(kernel.inbox, max_waiting=kernel.settings.limits.waiting)
    limits = DoorLimits(kernel.settings.limits)
    intake = Intake(commit, kernel.registry, queue.enqueue)
    slack = kernel.settings.slack
    teams = Teams(slack.home_team, kernel.installations)
    front = SlackFront(slack, kernel.registry, lambda: intake, kernel.clock, limits, teams)
    backlog = Backlog(kernel.inbox, kernel.settings.limits.backlog)
    webhooks = Webhooks(kernel.sources, lambda: intake, kernel.clock, limits, backlog)
    nlp = Nlp(kernel.settings.nlp)
    churn = Churn(kernel.settings.churn)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await front.start()
        looks = asyncio.create_task(backlog.watch())
        try:
            yield
        finally:
            looks.cancel()
            await front.stop()
            await nlp.close()
            await churn.close()
            await commit.close()
            queue.close()
            kernel.close()

    app = FastAPI(title="Signalbox", version=VERSION, lifespan=lifespan, docs_url=None, redoc_url=None)
    add_openapi_page(app)
    doors = [*front.routes(), *webhooks.routes()]
    app.router.routes.extend(doors)
    auth = Auth(kernel.settings, kernel.tokens, ApiLimits(kernel.settings.limits, kernel.settings.redis_url))
    app.include_router(health_router(kernel, nlp, churn))
    app.include_router(metrics_router(kernel))
    guarded = errors.described(401, 403, 422, 429, 503)
    app.include_router(api_router(kernel, auth), responses=guarded | errors.described(404))
    asked = guarded | errors.described(400, 413, 499)
    app.include_router(nlp_router(nlp, auth), responses=asked)
    app.include_router(churn_router(churn, auth), responses=asked)
    app.include_router(console_router(kernel, limits))
    app.include_router(install_router(kernel, limits))
    app.mount("/static", StaticFiles(directory=STATIC))
    _include_plugins(app, kernel, auth)
    app.add_middleware(BodyLimit)
    app.add_middleware(RateLimitHeaders)
    app.add_middleware(Doors, routes=doors)
    app.add_middleware(SecurityHeaders)
    errors.install(app)
    return app


def _include_plugins(app: FastAPI, kernel: Kernel, auth: Auth) -> None:
    """Plugins' own routes under /api/<plugin>; a plugin that can't make them loses these and no more."""
    for plugin in kernel.registry.plugins.values():
        try:
            routers = list(plugin.routers())
            for route in chain.from_iterable(map(_routes, routers)):
                _refuse_unguarded(route)
            for router in routers:
                app.include_router(router, prefix=f"/api/{plugin.name}", dependencies=[auth.require("write")])
        except Exception as exc:  # a faulty plugin may raise anything; the node must serve
            log.error("plugin.routes_refused", plugin=plugin.name, exc_info=exc)


def _routes(router: APIRouter) -> Iterator[BaseRoute]:
    """Those of routers that it includes, too."""
    for route in router.routes:
        inner = getattr(route, "original_router", None)
        if inner is None:
            yield route
        else:
            yield from _routes(inner)


def _refuse_unguarded(route: BaseRoute) -> None:
    """FastAPI asks for the token before routes of its own kind only: any other would be open to everybody."""
    if not isinstance(route, APIRoute):
        raise ConfigError(
            f"The route {getattr(route, 'path', route)!r} is a {type(route).__name__}: no token guards it. "
            "Declare it with the router's get, post, put, patch or delete."
        )
