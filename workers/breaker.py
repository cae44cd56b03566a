"""A circuit breaker for each plugin, shared by all workers through Redis (Nygard, "Release It!", 2007).

A plugin whose runs keep failing is left alone for a while: its runs wait in the inbox, its neighbours
go on, and `status` shows it as degraded.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pybreaker
import structlog
from redis import Redis
from redis.exceptions import RedisError

from bot.core import metrics
from bot.core.pauses import Pauses
from bot.core.runner import RunResult

log = structlog.get_logger()
FAILURES = 10
PAUSE = timedelta(seconds=30)
BELIEVED_SECONDS = 0.5


class Breakers:
    """Args:
    pauses: told when a plugin starts and stops to rest, for all who show it.
    """

    def __init__(self, redis_url: str, plugins: Iterable[str], pauses: Pauses) -> None:
        client = Redis.from_url(redis_url, socket_timeout=2, socket_connect_timeout=2)
        self._breakers = {name: _breaker(client, name) for name in plugins}
        self._pauses = pauses
        self._well_until: dict[str, float] = {}
        self._forget_ended()

    def _forget_ended(self) -> None:
        """A Redis that was emptied meanwhile knows of no pause."""
        for name in self._pauses.all():
            if self._state(name) == pybreaker.STATE_CLOSED:
                self._pauses.end(name)

    def _state(self, plugin: str) -> str:
        """Closed for a plugin that is not loaded, unknown when Redis can't say."""
        breaker = self._breakers.get(plugin)
        try:
            return breaker.current_state if breaker else pybreaker.STATE_CLOSED
        except RedisError:
            return ""

    def _is_well(self, plugin: str) -> bool:
        """Closed, and nothing counted against it; believed for a moment, to spare Redis a question a run."""
        breaker = self._breakers.get(plugin)
        if breaker is None or time.monotonic() < self._well_until.get(plugin, 0.0):
            return True
        try:
            well = breaker.current_state == pybreaker.STATE_CLOSED and not breaker.fail_counter
        except RedisError:
            return False
        if well:
            self._well_until[plugin] = time.monotonic() + BELIEVED_SECONDS
            metrics.BREAKER_OPEN.labels(plugin).set(0)
        return well

    def postponed(self, plugin: str) -> timedelta | None:
        """How long the plugin's runs should wait; None when it is well, or when Redis can't say."""
        if self._is_well(plugin):
            return None
        is_open = self._state(plugin) == pybreaker.STATE_OPEN
        metrics.BREAKER_OPEN.labels(plugin).set(int(is_open))
        return PAUSE if is_open and not self._may_probe(plugin) else None

    def note(self, result: RunResult) -> None:
        """Count a run. Throttling, refusals and a single bad event's death are not the plugin's failure."""
        breaker = self._breakers.get(result.plugin)
        if breaker is None or result.outcome not in {"done", "retried"}:
            return
        if result.outcome == "done" and self._is_well(result.plugin):
            return
        self._well_until.pop(result.plugin, None)
        before = self._state(result.plugin)
        try:
            breaker.call(_replay, result)
        except pybreaker.CircuitBreakerError:
            log.warning("breaker.open", plugin=result.plugin)
        except _RunFailedError:
            pass  # counted, that was the purpose
        except RedisError as exc:
            log.warning("breaker.unknown", plugin=result.plugin, error=str(exc))
        self._show(result, before, self._state(result.plugin))

    def _show(self, result: RunResult, before: str, after: str) -> None:
        if after == pybreaker.STATE_OPEN:
            self._pauses.begin(result.plugin, result.error)
        elif before != after == pybreaker.STATE_CLOSED:
            self._pauses.end(result.plugin)

    def _may_probe(self, plugin: str) -> bool:
        """After the pause one run may show whether the plugin is well again."""
        opened = self._breakers[plugin]._state_storage.opened_at  # noqa: SLF001  # pybreaker has no reader for it
        if opened is None:
            return True
        passed = datetime.now(UTC) - opened
        if passed < -PAUSE:  # a clock went back; who knows how long the plugin has rested already
            self._breakers[plugin].close()
            self._pauses.end(plugin)
            return True
        return passed > PAUSE


class _RunFailedError(Exception):
    """Carries a run's failure through pybreaker's counting."""


def _replay(result: RunResult) -> None:
    if result.outcome != "done":
        raise _RunFailedError(result.error)


def _breaker(client: Redis, name: str) -> pybreaker.CircuitBreaker:
    storage: pybreaker.CircuitBreakerStorage
    try:
        storage = pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, client, namespace=f"breaker:{name}")
    except RedisError as exc:
        log.warning("breaker.local", plugin=name, error=str(exc), effect="this worker counts for itself")
        storage = pybreaker.CircuitMemoryStorage(pybreaker.STATE_CLOSED)
    return pybreaker.CircuitBreaker(
        fail_max=FAILURES, reset_timeout=PAUSE.total_seconds(), state_storage=storage, name=name
    )
