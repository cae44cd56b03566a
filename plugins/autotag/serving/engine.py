"""Dynamic micro-batching: what arrives while a batch is computed makes up the next one.

So a lone text never waits for company, and the busier it gets the larger the batches are (continuous
batching). Requests take turns text by text: a thousand texts of one caller do not hold up another's single
one. Each gives its shortest texts first, so that a batch holds texts of similar length and little padding.

All state belongs to the event loop. Each thread computes a batch of its own on one core: while one is in the
encoder, which needs no interpreter, another reads and decides.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

BATCH_TOKENS = 1024
"""About 50 ms on a core: as long as a text may have to wait for the batch before its own."""
_CHARACTERS_PER_TOKEN = 4
_MOST_TOKENS = 256
T = TypeVar("T")


class QueueFullError(Exception):
    """More texts wait than may; try again in a second."""


@dataclass(eq=False)
class _Request(Generic[T]):
    """`order`: the places of the texts, shortest first."""

    texts: Sequence[str]
    answer: asyncio.Future[list[T]]
    begun: int = 0
    found: dict[int, T] = field(default_factory=dict)
    order: Sequence[int] = ()

    def __post_init__(self) -> None:
        self.order = sorted(range(len(self.texts)), key=lambda place: len(self.texts[place]))

    def next(self) -> _Place[T]:
        self.begun += 1
        return _Place(self, self.order[self.begun - 1])

    @property
    def left(self) -> int:
        return len(self.texts) - self.begun

    def add(self, number: int, found: T) -> None:
        self.found[number] = found
        if len(self.found) == len(self.texts) and not self.answer.done():
            self.answer.set_result([self.found[place] for place in range(len(self.texts))])


@dataclass(frozen=True)
class _Place(Generic[T]):
    """One text of a request."""

    request: _Request[T]
    number: int

    @property
    def text(self) -> str:
        return self.request.texts[self.number]


class Engine(Generic[T]):
    """Args:
    tag: answers a list of texts, in their order; called by several threads at a time.
    max_queue: texts that may wait; with more, `classify` raises QueueFullError at once.
    threads: batches that are computed at a time.
    """

    def __init__(self, tag: Callable[[Sequence[str]], Sequence[T]], max_queue: int, threads: int = 1) -> None:
        self._tag = tag
        self._max_queue = max_queue
        self._waiting: deque[_Request[T]] = deque()
        self._work = asyncio.Event()
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "tagger")
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
            await asyncio.gather(*(self._serve() for _ in range(self._threads)))
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def _serve(self) -> None:
        while True:
            await self._work.wait()
            batch = self._take()
            if batch:
                await self._compute(batch)
            else:
                self._work.clear()

    def _take(self) -> list[_Place[T]]:
        """One text of each request in turn, until the batch is full or this thread has its share."""
        batch: list[_Place[T]] = []
        budget, share = BATCH_TOKENS, -(-self.queued // self._threads)
        while self._waiting and budget > 0 and len(batch) < share:
            request = self._waiting.popleft()
            if not request.left:  # its caller hung up
                continue
            place = request.next()
            batch.append(place)
            budget -= _tokens(place.text)
            self.queued -= 1
            if request.left:
                self._waiting.append(request)
        return batch

    async def _compute(self, batch: Sequence[_Place[T]]) -> None:
        """A text that fails fails alone: the halves of a failed batch are tried by themselves."""
        texts = [place.text for place in batch]
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._pool, self._tag, texts)
        except Exception as exc:  # noqa: BLE001  # the caller's to hear, whatever it is; the next batch may work
            waited_for = [place for place in batch if not place.request.answer.done()]
            if len(batch) == 1:
                for place in waited_for:
                    place.request.answer.set_exception(exc)
            elif waited_for:
                half = -(-len(waited_for) // 2)
                await self._compute(waited_for[:half])
                await self._compute([place for place in waited_for[half:] if not place.request.answer.done()])
            return
        for place, one in zip(batch, found, strict=True):
            place.request.add(place.number, one)


def _tokens(text: str) -> int:
    """About how many the encoder will see; its tokenizer knows, but it runs in the other thread."""
    return min(len(text) // _CHARACTERS_PER_TOKEN + 3, _MOST_TOKENS)
