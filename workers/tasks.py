"""The tasks: work on a run, find what was left behind, look at the clock, send what could not be sent."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from typing import cast, get_args

import structlog
from celery import shared_task
from redis import Redis

from bot.core import retention
from bot.core.declare import Queue
from bot.core.errors import Permanent, Transient
from bot.core.kernel import Kernel
from workers import schedule
from workers.runtime import current

log = structlog.get_logger()
# Give the broker's own copy a moment before a second one is sent; a doubled task is harmless but work.
SWEEP_AFTER = timedelta(seconds=3)
BACKLOG = 200
PRUNE_SECONDS = 2.0


@shared_task(name="signalbox.process")  # type: ignore[untyped-decorator]
def process(run_id: str) -> None:
    try:
        current().runner.run(run_id)
    except Transient as exc:
        # The database itself refused: the lease runs out, or was never taken, and the sweeper tries again.
        log.warning("run.not_recorded", run_id=run_id, error=str(exc))


@shared_task(name="signalbox.sweep")  # type: ignore[untyped-decorator]
def sweep() -> None:
    """Hand over runs that are due and that nobody works on: after a crash, a retry's wait, a Redis outage."""
    kernel = current().kernel
    idle = _short_queues(kernel.settings.redis_url, get_args(Queue))
    if due := kernel.inbox.due(older_than=SWEEP_AFTER, queues=idle):
        log.info("sweep.found", runs=len(due))
        kernel.enqueue(due)


@shared_task(name="signalbox.forget")  # type: ignore[untyped-decorator]
def forget() -> None:
    """Drop deduplication keys whose window is over, and buttons and events that are old; seal strays."""
    kernel = current().kernel
    kernel.audit.seal_strays()
    _prune(kernel)
    kernel.inbox.forget_expired_keys()
    kernel.buttons.forget_expired()


def _prune(kernel: Kernel) -> None:
    """A batch at a time, so that nobody waits long for the database; the sweep waits for this."""
    ends = time.monotonic() + PRUNE_SECONDS
    settings = kernel.settings.retention
    while retention.prune(kernel.db, settings, kernel.clock()) and time.monotonic() < ends:
        pass


def _short_queues(redis_url: str, names: Iterable[str]) -> list[str]:
    """Queues whose workers keep up. In a long one the runs are only late; more copies would not help."""
    with Redis.from_url(redis_url, socket_timeout=2, socket_connect_timeout=2) as client:
        return [name for name in names if cast(int, client.llen(name)) < BACKLOG]


@shared_task(name="signalbox.tick")  # type: ignore[untyped-decorator]
def tick() -> None:
    kernel = current().kernel
    kernel.enqueue(schedule.tick(kernel))


@shared_task(name="signalbox.flush_messages")  # type: ignore[untyped-decorator]
def flush_messages() -> None:
    kernel = current().kernel
    if not kernel.messages.dirty(1):
        return
    try:
        flush = getattr(kernel.chat, "flush", None)
    except Permanent:
        return  # no chat is configured, so nobody waits for these
    if flush is not None:
        flush()
