"""The one way in: route, commit, hand over to the workers, in this order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from bot.core.events import NewEvent, Receipt
from bot.core.inbox import DueRun
from bot.core.registry import Registry


class Committer(Protocol):
    async def put(self, event: NewEvent) -> Receipt: ...


class Intake:
    """Args:
    commit: returns once the event is on disk.
    enqueue: tells the workers; it must not block and may fail, the sweeper finds what it missed.
    """

    def __init__(
        self, commit: Committer, registry: Registry, enqueue: Callable[[Sequence[DueRun]], None]
    ) -> None:
        self._commit = commit
        self._registry = registry
        self._enqueue = enqueue

    async def accept(self, event: NewEvent) -> Receipt:
        """Store an event for its handlers; when this returns, it may be acknowledged."""
        routed = self.route(event)
        receipt = await self._commit.put(routed)
        if not receipt.duplicate and not routed.dead:
            self._enqueue([DueRun(run_id, queue) for run_id, (_, queue) in routed.run_ids()])
        return receipt

    def route(self, event: NewEvent) -> NewEvent:
        if event.runs:
            return event
        handlers = self._registry.handlers_for(event.kind)
        return replace(event, runs=tuple((h.name, h.declaration.queue) for h in handlers))
