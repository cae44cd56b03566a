"""What came in and what went out, as the overview shows it; counting takes at most a fiftieth of the time."""

from __future__ import annotations

import hashlib
import time

from bot.core.kernel import Kernel
from bot.core.pages import Chart
from bot.core.traffic import Effect, Hour, Traffic

_LEAST_SECONDS = 2.0
_SHARE = 50


class Flow:
    def __init__(self, kernel: Kernel) -> None:
        self._traffic = Traffic(kernel.db, kernel.clock)
        self._hours: list[Hour] = []
        self._until = 0.0

    def hours(self) -> list[Hour]:
        began = time.monotonic()
        if began >= self._until:
            self._hours = self._traffic.by_hour()
            took = time.monotonic() - began
            self._until = began + max(_LEAST_SECONDS, _SHARE * took)
        return self._hours

    def effects(self) -> list[Effect]:
        return self._traffic.effects()

    def mark(self) -> str:
        """Another one whenever the picture is another, so that a browser may keep each."""
        shown = "|".join(f"{hour.begins:%d%H}:{hour.came}:{hour.went}" for hour in self.hours())
        return hashlib.sha256(shown.encode()).hexdigest()[:12]

    def chart(self) -> Chart:
        hours = self.hours()
        came, went = sum(hour.came for hour in hours), sum(hour.went for hour in hours)
        return Chart(
            title="In and out, 24 hours",
            alt=f"Bars hour by hour: {came:,} events came in, {went:,} effects went out.",
            kind="bar",
            x=tuple(f"{hour.begins:%H:%M}" for hour in hours),
            series=(
                ("came in", tuple(float(hour.came) for hour in hours)),
                ("went out", tuple(float(hour.went) for hour in hours)),
            ),
            empty="Nothing came in within 24 hours.",
        )
