"""What is handed to the workers: while Redis takes nothing, no more than so much is kept for it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from bot import queue
from bot.core.inbox import DueRun
from bot.queue import CeleryQueue

pytestmark = pytest.mark.unit


def test_what_redis_does_not_take_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MOST_WAITING", 100)
    goes_on, sent = threading.Event(), []

    def publish(_: CeleryQueue, batch: Sequence[DueRun]) -> None:
        goes_on.wait(20)
        sent.extend(batch)

    monkeypatch.setattr(CeleryQueue, "_publish", publish)
    made = CeleryQueue("memory://")
    for number in range(1000):
        made.enqueue([DueRun(f"r{number}", "io")])
    goes_on.set()
    made.close()
    assert 100 <= len(sent) <= 100 + 64
    assert sent[0].run_id == "r0", "the oldest is handed over; the sweeper finds the others"
