"""Tells the workers about runs, by Celery task name; Redis carries the run's id and nothing else."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from typing import Any

import structlog
from celery import Celery
from kombu.exceptions import KombuError

from bot.core import metrics
from bot.core.events import new_id
from bot.core.inbox import DueRun

PROCESS = "signalbox.process"
log = structlog.get_logger()
_CONNECT_SECONDS = 2.0
_BATCH = 64
MOST_WAITING = 20_000
"""Runs that may wait to be handed over; what is beyond them the sweeper finds."""


def make_app(redis_url: str) -> Celery:
    """A Celery application that only sends. Workers configure theirs in `workers.app`."""
    app = Celery("signalbox", broker=redis_url, set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_publish_retry=False,
        broker_connection_timeout=_CONNECT_SECONDS,
        broker_transport_options={
            "socket_timeout": _CONNECT_SECONDS,
            "socket_connect_timeout": _CONNECT_SECONDS,
            "visibility_timeout": 3600,
        },
    )
    return app


class CeleryQueue:
    """Sends from a thread of its own, so that neither an event loop nor a commit waits for Redis.

    What can't be sent is dropped here on purpose: the row is in the inbox and the sweeper finds it.
    """

    def __init__(self, redis_url: str) -> None:
        self._app = make_app(redis_url)
        self._waiting: queue.SimpleQueue[DueRun | None] = queue.SimpleQueue()
        self._down = False
        self._thread = threading.Thread(target=self._send_all, name="enqueue", daemon=True)
        self._thread.start()

    def enqueue(self, runs: Sequence[DueRun]) -> None:
        """While each word to Redis takes its time-out, more come than go: the sweeper gets the others."""
        if self._waiting.qsize() >= MOST_WAITING:
            metrics.QUEUE_DOWN.inc(len(runs))
            return
        for run in runs:
            self._waiting.put(run)

    def close(self) -> None:
        self._waiting.put(None)
        self._thread.join(timeout=5)
        self._app.close()

    def _send_all(self) -> None:
        while batch := self._take():
            self._send(batch)

    def _take(self) -> list[DueRun]:
        """Wait for a run and take those behind it along; nothing when it is time to end."""
        batch: list[DueRun] = []
        run = self._waiting.get()
        while run is not None:
            batch.append(run)
            if len(batch) == _BATCH or self._waiting.empty():
                return batch
            run = self._waiting.get()
        if batch:
            self._waiting.put(None)
        return batch

    def _send(self, batch: Sequence[DueRun]) -> None:
        try:
            self._publish(batch)
        except (KombuError, OSError, _redis_error()) as exc:
            metrics.QUEUE_DOWN.inc(len(batch))
            if not self._down:
                log.error("queue.down", error=str(exc), effect="runs wait in the inbox for the sweeper")
            self._down = True
            return
        if self._down:
            log.info("queue.up")
        self._down = False

    def _publish(self, batch: Sequence[DueRun]) -> None:
        """One round trip for all. Celery's own `send_task` costs eight times as much and knows no batch."""
        with self._app.producer_or_acquire() as producer, producer.batch(_BATCH):
            for run in batch:
                message = self._app.amqp.create_task_message(
                    new_id(), PROCESS, (run.run_id,), {}, argsrepr=run.run_id, kwargsrepr="{}"
                )
                producer.publish(
                    message.body,
                    exchange="",
                    routing_key=run.queue,
                    serializer="json",
                    headers=message.headers,
                    **message.properties,
                )


def _redis_error() -> type[Exception]:
    from redis.exceptions import RedisError  # noqa: PLC0415  # already loaded by the transport when needed

    return RedisError


def ping(redis_url: str) -> str:
    """Empty when Redis answers, else what is wrong."""
    from redis import Redis  # noqa: PLC0415  # only the health check needs the client itself
    from redis.exceptions import RedisError  # noqa: PLC0415

    client: Any = Redis.from_url(
        redis_url, socket_timeout=_CONNECT_SECONDS, socket_connect_timeout=_CONNECT_SECONDS
    )
    try:
        client.ping()
    except RedisError as exc:
        return f"Redis does not answer ({type(exc).__name__}); new events wait in the inbox."
    finally:
        client.close()
    return ""
