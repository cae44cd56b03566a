"""The Celery application of the workers: `celery -A workers.app worker -Q interactive`.

At-least-once delivery comes from the inbox, not from Celery: a task carries a run's id, and a lost or
doubled task is harmless. So tasks are never delayed inside Redis (waiting is `due_at` in the database).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery.signals import setup_logging, worker_process_init, worker_process_shutdown, worker_ready
from prometheus_client import start_http_server

from bot.core.logs import configure_logs, known_secrets
from bot.core.metrics import node_registry
from bot.core.settings_loader import load_settings
from bot.queue import make_app
from workers import runtime

settings = load_settings().settings
app = make_app(settings.redis_url)
app.conf.update(
    include=["workers.tasks"],
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_max_tasks_per_child=10_000,
    task_soft_time_limit=settings.workers.soft_time_limit,
    task_time_limit=settings.workers.hard_time_limit,
    # Redis hands a task out again after this time; a worker must be done with it, or dead, before.
    broker_transport_options={
        **app.conf.broker_transport_options,
        "visibility_timeout": max(3600, int(settings.workers.hard_time_limit * 2)),
    },
    task_create_missing_queues=True,
    broker_connection_retry=True,
    broker_connection_max_retries=None,
    broker_connection_retry_on_startup=True,
    beat_scheduler="workers.beat:SteadyScheduler",
    # No task expires: that would go by the clocks of two machines, and one that is ahead would work on none.
    beat_schedule={
        "sweep": {
            "task": "signalbox.sweep",
            "schedule": settings.workers.sweep_seconds,
            "options": {"queue": "control"},
        },
        "forget": {
            "task": "signalbox.forget",
            "schedule": 60.0,
            "options": {"queue": "control"},
        },
        "tick": {
            "task": "signalbox.tick",
            "schedule": 10.0,
            "options": {"queue": "control"},
        },
        "flush": {
            "task": "signalbox.flush_messages",
            "schedule": 2.0,
            "options": {"queue": "control"},
        },
    },
)
app.set_default()


@setup_logging.connect  # type: ignore[untyped-decorator]
def _logging(**_: Any) -> None:
    configure_logs(settings, known_secrets(settings))


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _start(**_: Any) -> None:
    runtime.start(settings)


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _stop(**_: Any) -> None:
    runtime.stop()


@worker_ready.connect  # type: ignore[untyped-decorator]
def _ready(**_: Any) -> None:
    """Tell a supervisor that asked for it, by a file; show the figures of the children."""
    if file := os.environ.get("WORKER_READY_FILE"):  # noqa: TID251  # about this process, not a setting
        Path(file).touch()
    if settings.workers.metrics_port:
        start_http_server(settings.workers.metrics_port, addr=settings.web.host, registry=node_registry())
