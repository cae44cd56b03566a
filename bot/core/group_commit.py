"""Group commit: deliveries that arrive together share one transaction, hence one fsync.

The first delivery starts a commit at once; those that arrive while it is under way wait and form the
next batch (DeWitt et al., "Implementation techniques for main memory database systems", SIGMOD 1984).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from bot.core.errors import Transient
from bot.core.events import NewEvent, Receipt
from bot.core.inbox import Inbox

_Waiting = tuple[NewEvent, "asyncio.Future[Receipt]"]


class Overloaded(Transient):
    """Nothing is wrong but the number: told to the sender before anything is stored."""


class GroupCommit:
    """`put` returns when the event is on disk. Use from one event loop."""

    def __init__(self, inbox: Inbox, *, max_batch: int = 256, max_waiting: int = 4000) -> None:
        self._inbox = inbox
        self._max_waiting = max_waiting
        self._max_batch = max_batch
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inbox-writer")

    async def put(self, event: NewEvent) -> Receipt:
        if len(self._waiting) >= self._max_waiting:
            raise Overloaded("More deliveries arrive than the database takes; send it again.", retry_after=2)
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        return await future

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
                await self._commit(batch)
        finally:
            self._writer = None

    async def _commit(self, batch: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        events = [event for event, _ in batch]
        try:
            receipts = await loop.run_in_executor(self._thread, self._inbox.put_many, events)
        except Exception as exc:  # noqa: BLE001  # handed to every caller that waits, not swallowed
            for _, future in batch:
                if not future.done():
                    future.set_exception(exc)
            return
        for (_, future), receipt in zip(batch, receipts, strict=True):
            if not future.done():
                future.set_result(receipt)

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer
        self._thread.shutdown()
