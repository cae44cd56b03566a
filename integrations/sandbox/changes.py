"""The in-process feed of what changed, which the page follows as server-sent events."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

BACKLOG = 1000


@dataclass(frozen=True)
class Change:
    kind: str
    data: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **self.data}


class Changes:
    """Publish from the event loop's thread.

    A page that falls behind loses its changes and gets a `reload` instead, so that a stuck
    browser tab cannot fill the memory.
    """

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Change]] = set()

    def publish(self, kind: str, data: dict[str, Any] | None = None) -> None:
        for queue in self._queues:
            self._put(queue, Change(kind, data or {}))

    async def subscribe(self) -> AsyncGenerator[Change, None]:
        queue: asyncio.Queue[Change] = asyncio.Queue(maxsize=BACKLOG)
        self._queues.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._queues.discard(queue)

    @staticmethod
    def _put(queue: asyncio.Queue[Change], change: Change) -> None:
        if queue.full():
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(Change("reload"))
        queue.put_nowait(change)
