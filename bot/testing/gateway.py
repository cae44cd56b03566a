"""A Pushgateway in memory."""

from __future__ import annotations

from collections.abc import Sequence

from bot.core.ports import GaugeValue, idempotent
from bot.testing.faults import Faulty


class FakeGateway(Faulty):
    """`jobs` holds what was pushed last, by job."""

    def __init__(self) -> None:
        super().__init__("gateway")
        self.jobs: dict[str, tuple[GaugeValue, ...]] = {}

    @idempotent
    def push(self, *, job: str, figures: Sequence[GaugeValue], step_key: str) -> None:
        with self._call("push", job=job, figures=tuple(figures), step_key=step_key):
            self.jobs[job] = tuple(figures)
