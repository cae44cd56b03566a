"""What one worker process holds: a kernel, a runner and the breakers. Built after the fork, once."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from celery.exceptions import SoftTimeLimitExceeded

from bot.core import metrics
from bot.core.kernel import Kernel, build_kernel
from bot.core.runner import Runner, RunResult
from bot.core.settings import Settings
from bot.queue import CeleryQueue
from workers.breaker import Breakers


@dataclass
class Runtime:
    kernel: Kernel
    runner: Runner
    breakers: Breakers
    queue: CeleryQueue


_current: list[Runtime] = []


def start(settings: Settings) -> None:
    """Build this process's runtime; called by Celery in each child."""
    queue = CeleryQueue(settings.redis_url)
    kernel = build_kernel(settings, enqueue=queue.enqueue)
    breakers = Breakers(settings.redis_url, kernel.registry.plugins, kernel.pauses)
    owner = f"{socket.gethostname()}:{os.getpid()}"

    def observe(result: RunResult) -> None:
        _measure(result)
        breakers.note(result)

    runner = Runner(kernel, owner, observe, breakers.postponed, overdue=(SoftTimeLimitExceeded,))
    _current[:] = [Runtime(kernel, runner, breakers, queue)]


def current() -> Runtime:
    return _current[0]


def stop() -> None:
    while _current:
        runtime = _current.pop()
        runtime.queue.close()
        runtime.kernel.close()


def _measure(result: RunResult) -> None:
    metrics.HANDLER_RUNS.labels(result.plugin, result.handler, result.outcome).inc()
    metrics.HANDLER_SECONDS.labels(result.plugin, result.handler).observe(result.seconds)
    if result.outcome == "dead":
        metrics.DEAD_LETTERS.labels(result.plugin).inc()
    if result.outcome in {"retried", "throttled"}:
        metrics.RETRIES.labels(result.plugin, result.outcome).inc()
