"""A circuit breaker for each plugin, shared by all workers through Redis (Nygard, "Release It!", 2007).

A plugin whose runs keep failing is left alone for a while: its runs wait in the inbox, its neighbours
go on, and `status` shows it as degraded.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pybreaker
import structlog
from redis import Redis
from redis.exceptions import RedisError

from bot.core import metrics
from bot.core.runner import RunResult

log = structlog.get_logger()
FAILURES = 10
PAUSE = timedelta(seconds=30)


class Breakers:
    def __init__(self, redis_url: str, plugins: Iterable[str]) -> None:
        client = Redis.from_url(redis_url, socket_timeout=2, socket_connect_timeout=2)
        self._breakers = {name: _breaker(client, name) for name in plugins}

    def postponed(self, plugin: str) -> timedelta | None:
        """How long the plugin's runs should wait; None when it is well, or when Redis can't say."""
        breaker = self._breakers.get(plugin)
        try:
            is_open = breaker is not None and breaker.current_state == pybreaker.STATE_OPEN
        except RedisError:
            return None
        metrics.BREAKER_OPEN.labels(plugin).set(int(is_open))
        return PAUSE if is_open and not self._may_probe(plugin) else None

    def note(self, result: RunResult) -> None:
        """Count a run. Throttling and refusals are nobody's failure."""
        breaker = self._breakers.get(result.plugin)
        if breaker is None or result.outcome not in {"done", "dead", "retried"}:
            return
        try:
            breaker.call(_replay, result)
        except pybreaker.CircuitBreakerError:
            log.warning("breaker.open", plugin=result.plugin)
        except _RunFailedError:
            pass  # counted, that was the purpose
        except RedisError as exc:
            log.warning("breaker.unknown", plugin=result.plugin, error=str(exc))

    def _may_probe(self, plugin: str) -> bool:
        """After the pause one run may show whether the plugin is well again."""
        opened = self._breakers[plugin]._state_storage.opened_at  # noqa: SLF001  # pybreaker has no reader for it
        if opened is None:
            return True
        return datetime.now(UTC) - opened > PAUSE


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
