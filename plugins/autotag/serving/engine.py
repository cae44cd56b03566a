"""Dynamic micro-batching: what arrives while a batch is computed makes up the next one.

So a lone text never waits for company, and the busier it gets the larger the batches are (continuous
batching). Requests take turns text by text: a thousand texts of one caller do not hold up another's single
one. All state belongs to the event loop; one thread computes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

BATCH_TOKENS = 2048
"""About 40 ms on two cores: as long as a text may have to wait for the batch before its own."""
_CHARACTERS_PER_TOKEN = 4
_MOST_TOKENS = 256
T = TypeVar("T")


class QueueFullError(Exception):
    """More texts wait than may; try again in a second."""


@dataclass(eq=False)
class _Request(Generic[T]):
    texts: Sequence[str]
    answer: asyncio.Future[list[T]]
    begun: int = 0
    found: list[T] = field(default_factory=list)

    @property
    def left(self) -> int:
        return len(self.texts) - self.begun

    def add(self, found: T) -> None:
        """Texts are begun in their order and batches end in theirs, so answers come in order too."""
        self.found.append(found)
        if len(self.found) == len(self.texts) and not self.answer.done():
            self.answer.set_result(self.found)


class Engine(Generic[T]):
    """Args:
    tag: answers a list of texts, in their order; called in one thread.
    max_queue: texts that may wait; with more, `classify` raises QueueFullError at once.
    """

    def __init__(self, tag: Callable[[Sequence[str]], Sequence[T]], max_queue: int) -> None:
        self._tag = tag
        self._max_queue = max_queue
        self._waiting: deque[_Request[T]] = deque()
        self._work = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "tagger")
        self.queued = 0

    async def classify(self, texts: Sequence[str]) -> list[T]:
        """Cancelling this drops the texts that were not begun."""
        if self.queued + len(texts) > self._max_queue:
            raise QueueFullError
        if not texts:
            return []
        request: _Request[T] = _Request(texts, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        self.queued += len(texts)
        self._work.set()
        try:
            return await request.answer
        finally:
            self.queued -= request.left
            request.begun = len(texts)

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                await self._work.wait()
                batch = self._take()
                if batch:
                    await self._compute(batch)
                else:
                    self._work.clear()
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _take(self) -> list[tuple[_Request[T], str]]:
        """One text of each request in turn, until the batch is full or nothing waits."""
        batch: list[tuple[_Request[T], str]] = []
        budget = BATCH_TOKENS
        while self._waiting and budget > 0:
            request = self._waiting.popleft()
            if not request.left:  # its caller hung up
                continue
            text = request.texts[request.begun]
            batch.append((request, text))
            budget -= _tokens(text)
            request.begun += 1
            self.queued -= 1
            if request.left:
                self._waiting.append(request)
        return batch

    async def _compute(self, batch: Sequence[tuple[_Request[T], str]]) -> None:
        texts = [text for _, text in batch]
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._thread, self._tag, texts)
        except Exception as exc:  # noqa: BLE001  # the callers' to hear, whatever it is; the next batch may work
            for request, _ in batch:
                if not request.answer.done():
                    request.answer.set_exception(exc)
            return
        for (request, _), one in zip(batch, found, strict=True):
            request.add(one)


def _tokens(text: str) -> int:
    """About how many the encoder will see; its tokenizer knows, but it runs in the other thread."""
    return min(len(text) // _CHARACTERS_PER_TOKEN + 3, _MOST_TOKENS)
