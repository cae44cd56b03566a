"""Rate limits of the API by token, in Redis for all web processes; while it is away each counts for itself.

Headers: RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10), Retry-After (RFC 9110).
"""

from __future__ import annotations

import time

import structlog
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage, Storage
from limits.strategies import FixedWindowRateLimiter
from redis.exceptions import RedisError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.core.settings import LimitSettings
from bot.webhooks.limits import Rate

log = structlog.get_logger()
_AWAY_SECONDS = 10.0
STATE = "signalbox.ratelimit"


class ApiLimits:
    """At the API: tokens, and addresses that try to guess one."""

    def __init__(self, settings: LimitSettings, redis_url: str) -> None:
        memory = FixedWindowRateLimiter(MemoryStorage())
        shared = FixedWindowRateLimiter(_redis(redis_url)) if redis_url else memory
        self._here = Rate("token", settings.token, memory)
        self._shared = Rate("token", settings.token, shared)
        self.failures = Rate("failures", settings.failures, memory)
        self._away_until = 0.0

    def count(self, name: str) -> tuple[int, dict[str, str]]:
        """Seconds that this token must wait (0: none), and the headers to say so."""
        if time.monotonic() >= self._away_until:
            try:
                return self._shared.wait(name), self._shared.headers(name)
            except (RedisError, StorageError) as exc:
                self._away_until = time.monotonic() + _AWAY_SECONDS
                log.warning("limits.redis_away", error=str(exc), effect="this process counts for itself")
        return self._here.wait(name), self._here.headers(name)


class RateLimitHeaders:
    """Adds the headers that an endpoint's check has left in the request's scope."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start" and STATE in scope:
                told = [(name.lower().encode(), value.encode()) for name, value in scope[STATE].items()]
                message["headers"] = [*message["headers"], *told]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _redis(url: str) -> Storage:
    return RedisStorage(url, socket_timeout=1, socket_connect_timeout=1, wrap_exceptions=True)
