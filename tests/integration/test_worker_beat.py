"""The scheduler ends when it is told to, whatever it is doing then."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from celery.beat import Service

from workers.beat import SteadyScheduler

pytestmark = pytest.mark.integration


@pytest.fixture
def handlers() -> Iterator[None]:
    """Gives the signals back to who had them."""
    known = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in known.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.timeout(20)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_midst_of_a_read_is_not_lost(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def interrupted(_: Any, entry: Any, **__: Any) -> None:
        """What the Redis client makes of a SystemExit that reaches it while it reads."""
        sent.append(entry.name)
        try:
            signal.raise_signal(number)
        except SystemExit as exc:
            raise ValueError("I/O operation on closed file") from exc

    monkeypatch.setattr(SteadyScheduler, "apply_async", interrupted)
    app = Celery("test", broker="memory://", set_as_current=False)
    app.conf.beat_schedule = {"sweep": {"task": "signalbox.sweep", "schedule": 0.2}}
    Service(app, scheduler_cls=SteadyScheduler, schedule_filename="").start()
    assert sent == ["sweep"]
