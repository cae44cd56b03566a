"""How each plugin is, asked side by side and not for long: a page must not wait for what hangs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import structlog

from bot.core.context import Context
from bot.core.declare import Plugin
from bot.core.errors import SignalboxError
from bot.core.events import Event, Payload
from bot.core.kernel import Kernel
from bot.core.ports import Health

PATIENCE = 2.0
_KNOWN_SECONDS = 10.0
log = structlog.get_logger()


class Conditions:
    """What was found is kept for ten seconds, so that what hangs is not asked with each look."""

    def __init__(self, kernel: Kernel, patience: float = PATIENCE) -> None:
        self._kernel = kernel
        self._patience = patience
        self._known: dict[str, Health] = {}
        self._until = 0.0

    def all(self) -> Mapping[str, Health]:
        if time.monotonic() >= self._until:
            self._known = self._ask(self._kernel.registry.plugins.values())
            self._until = time.monotonic() + _KNOWN_SECONDS
        return self._known

    def _ask(self, plugins: Iterable[Plugin[Any]]) -> dict[str, Health]:
        pool = ThreadPoolExecutor(thread_name_prefix="conditions")
        asked: dict[str, Future[Health]] = {p.name: pool.submit(self._health, p) for p in plugins}
        done, _ = wait(asked.values(), self._patience)
        pool.shutdown(wait=False, cancel_futures=True)
        late = Health(status="degraded", detail=f"It did not say within {self._patience:g} s.")
        return {name: answer.result() if answer in done else late for name, answer in asked.items()}

    def _health(self, plugin: Plugin[Any]) -> Health:
        try:
            return plugin.health(reading(self._kernel, plugin))
        except SignalboxError as exc:
            return Health(status="down", detail=str(exc))
        except Exception as exc:  # a plugin's bug must not hide how the others are
            log.exception("plugin.health_failed", checked=plugin.name)
            detail = f"Its health check failed with {type(exc).__name__}; see the log."
            return Health(status="down", detail=detail)


def reading(kernel: Kernel, plugin: Plugin[Any]) -> Context:
    """A context for what only reads and belongs to no event."""
    event = Event("console", "console", "console.page", plugin.name, kernel.clock(), "")
    return Context(kernel, event, next(plugin.handlers()), Payload())
