"""A Prometheus in memory: values that a test sets, and that hold until it sets others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from bot.core.ports import Rule, Sample, Series
from bot.testing.faults import Faulty

_Labels = tuple[tuple[str, str], ...]
_History = list[tuple[datetime, float | None]]


class FakeMetrics(Faulty):
    """Expressions are compared as text; one that nothing was said about has no data."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__("metrics")
        self._clock = clock
        self._known: dict[str, dict[_Labels, _History]] = {}
        self._rules: list[Rule] = []

    def set(
        self,
        expression: str,
        value: float | None,
        labels: Mapping[str, str] | None = None,
        *,
        at: datetime | None = None,
    ) -> None:
        """From `at` (now) on, a series of `expression` has this value; None: it has no data."""
        series = self._known.setdefault(expression, {})
        history = series.setdefault(tuple(sorted((labels or {}).items())), [])
        history.append((at or self._clock(), value))
        history.sort(key=lambda change: change[0])

    def add_rule(self, rule: Rule) -> None:
        """Load an alerting rule."""
        self._rules.append(rule)

    def query(self, expression: str, *, at: datetime | None = None) -> Sequence[Sample]:
        moment = at or self._clock()
        with self._call("query", writes=False, expression=expression, at=moment):
            found = [(labels, _held(history, moment)) for labels, history in self._series(expression)]
            return [Sample(labels=dict(ls), at=moment, value=v) for ls, v in found if v is not None]

    def query_range(
        self, expression: str, *, start: datetime, end: datetime, step: float
    ) -> Sequence[Series]:
        with self._call("query_range", writes=False, expression=expression, start=start, end=end, step=step):
            times = _times(start, min(end, self._clock()), step)
            found = [(labels, _points(history, times)) for labels, history in self._series(expression)]
            return [Series(labels=dict(labels), points=points) for labels, points in found if points]

    def rules(self) -> Sequence[Rule]:
        with self._call("rules", writes=False):
            return tuple(self._rules)

    def _series(self, expression: str) -> Sequence[tuple[_Labels, _History]]:
        return tuple(self._known.get(expression, {}).items())


def _held(history: _History, at: datetime) -> float | None:
    """The value that the last change up to `at` left."""
    return next((value for changed, value in reversed(history) if changed <= at), None)


def _times(start: datetime, end: datetime, step: float) -> list[datetime]:
    count = int((end - start).total_seconds() // step) + 1
    return [start + timedelta(seconds=step * n) for n in range(max(0, count))]


def _points(history: _History, times: Sequence[datetime]) -> tuple[tuple[datetime, float], ...]:
    values = [(at, _held(history, at)) for at in times]
    return tuple((at, value) for at, value in values if value is not None)
