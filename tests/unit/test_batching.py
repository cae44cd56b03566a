"""The engine: who is served when, what is refused, what a caller who hangs up costs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.autotag.serving.engine import BATCH_TOKENS, Engine, QueueFullError

pytestmark = pytest.mark.unit
LONG = "word " * 300
"""As many tokens as a text can have."""


class Tagger:
    """Shouts; waits at a gate before each batch when told to."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, texts: Sequence[str]) -> list[str]:
        self.batches.append(list(texts))
        assert self.gate.wait(10)
        if "bad" in texts:
            raise ValueError("a text that the model can't read")
        return [text.upper() for text in texts]

    async def began(self, batches: int) -> None:
        async with asyncio.timeout(10):
            while len(self.batches) < batches:  # noqa: ASYNC110  # the other side is a thread
                await asyncio.sleep(0.001)


@asynccontextmanager
async def running(tagger: Tagger, max_queue: int = 1000, threads: int = 1) -> AsyncIterator[Engine[str]]:
    engine = Engine(tagger, max_queue, threads)
    work = asyncio.create_task(engine.run())
    try:
        yield engine
    finally:
        tagger.gate.set()
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def test_what_arrives_meanwhile_makes_up_the_next_batch() -> None:
    tagger = Tagger()
    async with running(tagger) as engine:
        tagger.gate.clear()
        first = asyncio.create_task(engine.classify(["a"]))
        await tagger.began(1)
        others = [asyncio.create_task(engine.classify([text])) for text in "bcd"]
        await asyncio.sleep(0)
        tagger.gate.set()
        assert await asyncio.gather(first, *others) == [["A"], ["B"], ["C"], ["D"]]
    assert tagger.batches == [["a"], ["b", "c", "d"]]


async def test_a_large_request_does_not_hold_up_a_small_one() -> None:
    tagger = Tagger()
    async with running(tagger) as engine:
        tagger.gate.clear()
        large = asyncio.create_task(engine.classify([LONG] * 100))
        await tagger.began(1)
        small = asyncio.create_task(engine.classify(["small"]))
        await asyncio.sleep(0)
        tagger.gate.set()
        assert await small == ["SMALL"]
        assert not large.done()
        assert len(await large) == 100
    assert "small" in tagger.batches[1]


async def test_long_texts_make_small_batches() -> None:
    tagger = Tagger()
    async with running(tagger) as engine:
        await engine.classify([LONG] * 50)
    assert {len(batch) for batch in tagger.batches[:-1]} == {BATCH_TOKENS // 256}


async def test_texts_of_similar_length_share_a_batch() -> None:
    tagger = Tagger()
    texts = ["short", LONG] * 8
    async with running(tagger) as engine:
        assert await engine.classify(texts) == [text.upper() for text in texts]
    lengths = [len(text) for batch in tagger.batches for text in batch]
    assert lengths == sorted(lengths)


async def test_a_full_queue_refuses_at_once_and_takes_more_later() -> None:
    tagger = Tagger()
    async with running(tagger, max_queue=3) as engine:
        tagger.gate.clear()
        first = asyncio.create_task(engine.classify(["a"]))
        await tagger.began(1)
        second = asyncio.create_task(engine.classify(["b", "c"]))
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError):
            await engine.classify(["d", "e"])
        tagger.gate.set()
        await asyncio.gather(first, second)
        assert engine.queued == 0
        assert await engine.classify(["d", "e", "f"]) == ["D", "E", "F"]


async def test_a_caller_who_hung_up_costs_nothing_more() -> None:
    tagger = Tagger()
    async with running(tagger) as engine:
        tagger.gate.clear()
        first = asyncio.create_task(engine.classify(["a"]))
        await tagger.began(1)
        gone = asyncio.create_task(engine.classify(["gone"] * 500))
        await asyncio.sleep(0)
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone
        assert engine.queued == 0
        tagger.gate.set()
        assert await first == ["A"]
        assert await engine.classify(["b"]) == ["B"]
    assert "gone" not in [text for batch in tagger.batches for text in batch]


async def test_what_the_model_raises_is_told_and_the_next_batch_works() -> None:
    async with running(Tagger()) as engine:
        with pytest.raises(ValueError, match="can't read"):
            await engine.classify(["bad"])
        assert await engine.classify(["good"]) == ["GOOD"]


async def test_a_text_that_the_model_fails_on_fails_alone() -> None:
    tagger = Tagger()
    async with running(tagger) as engine:
        tagger.gate.clear()
        first = asyncio.create_task(engine.classify(["a"]))
        await tagger.began(1)
        texts = ["b", "c", "bad", "d", "e"]
        others = [asyncio.create_task(engine.classify([text])) for text in texts]
        await asyncio.sleep(0)
        tagger.gate.set()
        answers = await asyncio.gather(first, *others, return_exceptions=True)
    assert tagger.batches[1] == texts
    assert [one for one in answers if not isinstance(one, ValueError)] == [["A"], ["B"], ["C"], ["D"], ["E"]]
    assert isinstance(answers[3], ValueError)


async def test_a_failed_request_is_not_worked_on_further() -> None:
    tagger = Tagger()
    async with running(tagger) as engine:
        with pytest.raises(ValueError, match="can't read"):
            await engine.classify(["bad", *[LONG] * 200])
        await engine.classify(["next"])
        assert engine.queued == 0
    assert sum(map(len, tagger.batches)) < 50


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.text(max_size=3).filter(lambda t: t != "bad"), max_size=30), max_size=12),
    st.sets(st.integers(0, 11)),
)
def test_every_caller_gets_the_answers_to_its_own_texts(requests: list[list[str]], leave: set[int]) -> None:
    async def scenario() -> None:
        async with running(Tagger(), max_queue=10_000, threads=3) as engine:
            tasks = [asyncio.create_task(engine.classify(texts)) for texts in requests]
            await asyncio.sleep(0)
            for number in leave & set(range(len(tasks))):
                tasks[number].cancel()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            for texts, answer in zip(requests, answers, strict=True):
                assert isinstance(answer, asyncio.CancelledError) or answer == [t.upper() for t in texts]
            assert engine.queued == 0

    asyncio.run(scenario())
