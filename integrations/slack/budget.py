"""One rate budget for all workers, kept in Redis: per method, and per channel for posts.

Figures from docs.slack.dev, "Rate limits": tiers per method and workspace, about one post a second and
channel. A Retry-After that one worker is given holds for all.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import structlog
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from bot.core.errors import Throttled
from bot.core.messages import Priority

log = structlog.get_logger()
TIER_2, TIER_3, TIER_4 = parse("20/minute"), parse("50/minute"), parse("100/minute")
METHODS: dict[str, RateLimitItem] = {
    "chat.postMessage": parse("200/minute"),
    "chat.postEphemeral": TIER_4,
    "chat.unfurl": TIER_3,
    "chat.update": TIER_3,
    "conversations.history": TIER_3,
    "conversations.list": TIER_2,
    "usergroups.list": TIER_2,
    "files.getUploadURLExternal": TIER_4,
    "views.open": TIER_4,
    "views.publish": TIER_4,
}
PER_CHANNEL = parse("4/4 seconds")
# What a priority must leave for the ones above it.
RESERVE: dict[Priority, float] = {"high": 0.0, "normal": 0.2, "low": 0.25}
PATIENCE_SECONDS = 1.0
_POLL_SECONDS = 0.05


class Budget:
    def __init__(self, redis_url: str, workspace: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._workspace = workspace
        self._sleep = sleep
        self._shared = _Counts(_storage(redis_url))
        self._local = _Counts(MemoryStorage())
        self._down = False

    def take(self, method: str, channel: str = "", priority: Priority = "normal") -> None:
        """Take one call, waiting up to a second; else Throttled with the seconds that it will take."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (wait := self._wait_for(method, channel, priority)) > 0:
            if time.monotonic() + min(wait, _POLL_SECONDS) > deadline or wait > PATIENCE_SECONDS:
                raise Throttled(f"The rate budget for {method} is used up.", retry_after=wait)
            self._sleep(_POLL_SECONDS)

    def block(self, method: str, seconds: float) -> None:
        """Slack said Retry-After: nobody calls this method before then."""
        try:
            self._shared.block(self._blocked(method), seconds)
        except StorageError:
            self._note_down()
        self._local.block(self._blocked(method), seconds)  # holds here at least, should Redis go away

    def _wait_for(self, method: str, channel: str, priority: Priority) -> float:
        try:
            wait = self._wait_with(self._shared, method, channel, priority)
        except StorageError:
            self._note_down()
            return self._wait_with(self._local, method, channel, priority)
        self._down = False
        return wait

    def _note_down(self) -> None:
        if not self._down:
            log.warning("budget.local", effect="Redis does not answer; this worker counts for itself")
        self._down = True

    def _blocked(self, method: str) -> str:
        return f"SLACK-BLOCKED/{self._workspace}/{method}"

    def _wait_with(self, counts: _Counts, method: str, channel: str, priority: Priority) -> float:
        if (wait := counts.blocked(self._blocked(method))) > 0:
            return wait
        limiter = counts.limiter
        items: list[tuple[RateLimitItem, tuple[str, ...]]] = [
            (METHODS.get(method, TIER_3), (self._workspace, method))
        ]
        if channel:
            items.append((PER_CHANNEL, (self._workspace, method, channel)))
        for item, names in items:
            stats = limiter.get_window_stats(item, *names)
            if stats.remaining <= item.amount * RESERVE[priority]:
                return _until(limiter, item, names, stats.reset_time)
        for item, names in items:
            if not limiter.hit(item, *names):
                return _until(limiter, item, names, limiter.get_window_stats(item, *names).reset_time)
        return 0.0


def _until(
    limiter: MovingWindowRateLimiter, item: RateLimitItem, names: tuple[str, ...], reset_time: float
) -> float:
    """Seconds until a window has room. One that ends too far off was filled by a clock that has gone back
    since, or by another's that is ahead: it is forgotten, for Slack itself counts right.
    """
    wait = reset_time - time.time()
    if wait > item.get_expiry() + _POLL_SECONDS + 1:
        limiter.clear(item, *names)
        return _POLL_SECONDS
    return max(_POLL_SECONDS, wait)


class _Counts:
    """What is counted in one place: the calls in their windows, and until when a method is blocked."""

    def __init__(self, storage: RedisStorage | MemoryStorage) -> None:
        self._storage = storage
        self.limiter = MovingWindowRateLimiter(storage)

    def block(self, key: str, seconds: float) -> None:
        self._storage.clear(key)
        self._storage.incr(key, max(1, math.ceil(seconds)))

    def blocked(self, key: str) -> float:
        return self._storage.get_expiry(key) - time.time() if self._storage.get(key) else 0.0


def _storage(redis_url: str) -> RedisStorage | MemoryStorage:
    if not redis_url:
        return MemoryStorage()
    return RedisStorage(redis_url, wrap_exceptions=True, socket_timeout=1, socket_connect_timeout=1)
