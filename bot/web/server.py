"""Runs the web process."""

from __future__ import annotations

import gc
import sys
from typing import Any

import uvicorn

from bot.core import metrics
from bot.core.configuration import note_start
from bot.core.errors import ConfigError
from bot.core.kernel import build_kernel
from bot.core.logs import configure_logs, known_secrets
from bot.core.settings import Settings
from bot.queue import CeleryQueue
from bot.web.app import VERSION, build_web
from bot.web.protocol import BoundedProtocol

SERVER: dict[str, Any] = {
    "http": BoundedProtocol,
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "ws": "none",  # nothing here speaks WebSocket
    "timeout_graceful_shutdown": 10,
}


def serve(settings: Settings) -> None:
    """Serve until told to stop.

    Raises:
        ConfigError: before anything is opened, when a setting that this process needs is missing.
    """
    if not settings.redis_url:
        raise ConfigError(
            "REDIS_URL is not set. Expected: the Redis that the workers use, for example "
            "redis://127.0.0.1:6379/0. `signalbox up` starts one by itself."
        )
    configure_logs(settings, known_secrets(settings))
    queue = CeleryQueue(settings.redis_url)
    kernel = build_kernel(settings, enqueue=queue.enqueue)
    kernel.db.migrate()
    note_start(kernel)
    metrics.BUILD_INFO.labels(VERSION).set(1)
    app = build_web(kernel, queue)
    _spare_the_collector()
    # Commits and hand-overs run in threads: the event loop gets its turn back after 1 ms, not 5.
    sys.setswitchinterval(0.001)
    uvicorn.run(
        app,
        host=settings.web.host,
        port=settings.web.port,
        **SERVER,
    )


def _spare_the_collector() -> None:
    """What was built lives as long as the process, and requests leave few cycles behind.

    With Python's defaults the collector looks at each young object after every 700 new ones: a seventh
    of the time under load.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    gc.enable()
