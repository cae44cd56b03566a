"""The verdict on a run, from values before and after. Pure: times are arguments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from bot.plugin import Series
from plugins.alert_relay.mitigation.declarations import Harm, Verification
from plugins.alert_relay.mitigation.runs import Verdict


class Judgement(NamedTuple):
    """`verdict` is None while it is too early to say."""

    verdict: Verdict | None
    reason: str


Point = tuple[datetime, bool]
_MISSED = timedelta(seconds=-1)


def times(spec: Verification, acted_at: datetime) -> tuple[datetime, datetime]:
    """When looking begins and ends."""
    begin = acted_at + timedelta(seconds=spec.settle)
    return begin, begin + timedelta(seconds=spec.window)


def judge(spec: Verification, found: Sequence[Series], acted_at: datetime, now: datetime) -> Judgement:
    """Recovered: the goal was met without a break for `hold` seconds, up to the newest value.

    A time at which a series has no finite value is no evidence for either side: it breaks a streak, and a
    window that ends in it is unknown. When there are several series, all of them must meet the goal.
    """
    begin, end = times(spec, acted_at)
    points = _points(spec, found, begin, end)
    streak = _streak(spec, points, min(now, end))
    if streak is not None and streak >= timedelta(seconds=spec.hold):
        return Judgement("recovered", f"{spec.goal} for {streak.total_seconds():.0f} s")
    if now < end:
        return Judgement(None, "too early to say")
    if not points:
        return Judgement("unknown", "there was no data in the whole window")
    if streak is None:
        return Judgement("unknown", "the data stops before the end of the window")
    if streak >= timedelta(0):
        return Judgement("not_recovered", f"the goal was met for {streak.total_seconds():.0f} s only")
    return Judgement("not_recovered", f"it was not {spec.goal} at the end of the window")


def _points(spec: Verification, found: Sequence[Series], begin: datetime, end: datetime) -> list[Point]:
    """Whether all series met the goal, at each time that any of them has a value."""
    met: dict[datetime, bool] = {}
    for series in found:
        for at, value in series.points:
            if begin <= at <= end and not math.isnan(value):
                met[at] = met.get(at, True) and spec.met(value)
    return sorted(met.items())


def _streak(spec: Verification, points: Sequence[Point], now: datetime) -> timedelta | None:
    """For how long the goal is met up to the newest value, below zero when that one misses it.

    None when the newest value is too old to tell.
    """
    gap = timedelta(seconds=spec.step * 2)
    if not points or now - points[-1][0] > gap:
        return None
    newest = since = points[-1][0]
    if not points[-1][1]:
        return _MISSED
    for at, is_met in reversed(points):
        if not is_met or since - at > gap:
            break
        since = at
    return newest - since


def worst(spec: Verification, values: Sequence[float]) -> float | None:
    """Of several series' values, the one furthest from the goal."""
    finite = [value for value in values if not math.isnan(value)]
    if not finite:
        return None
    return min(finite) if spec.comparator in {">", ">="} else max(finite)


def is_harm(spec: Harm, before: float | None, now: float | None) -> bool:
    """Whether the metric that must not get worse did. No value before counts as zero, none now as no harm."""
    if now is None or now <= spec.above:
        return False
    return now > (before or 0.0) * (1 + spec.growth)
