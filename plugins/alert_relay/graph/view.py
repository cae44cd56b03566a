"""What a group's picture shows: which expression, which time, which of its series. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from bot.plugin import Rule, Series
from plugins.alert_relay.graph import expression
from plugins.alert_relay.graph.drawing import MOST_SERIES, Picture
from plugins.alert_relay.graph.expression import Condition
from plugins.alert_relay.state import GroupState

_BEFORE = timedelta(minutes=15)
_AFTER = timedelta(minutes=5)
_LONGEST = timedelta(days=7)
_POINTS = 240
_FINEST_SECONDS = 1.0


class Window(NamedTuple):
    start: datetime
    end: datetime
    step: float
    """Seconds."""


def find(state: GroupState, rules: Sequence[Rule]) -> Condition | None:
    """By the alert's name among the rules, else by the link to its graph; None when neither knows."""
    name = {**state.routing, **state.labels}.get("alertname", "")
    named = [rule for rule in rules if rule.name == name]
    rule = next((rule for rule in named if _agrees(rule.labels, state.labels)), None)
    linked = next((link.url for link in state.card.links if link.label == "Graph"), "")
    text = rule.expression if rule else expression.of_address(linked)
    return expression.condition(text) if text else None


def _agrees(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return all(other.get(name, value) == value for name, value in one.items() if "{{" not in value)


def window(state: GroupState, now: datetime) -> Window:
    """From a while before it fired until now, or until a little after its end."""
    fired = max(began(state), now - _LONGEST)
    end = min(now, (state.resolved_at or now) + _AFTER)
    span = (end - fired) + max(_BEFORE, (end - fired) / 4)
    step = max(_FINEST_SECONDS, math.ceil(span.total_seconds() / _POINTS))
    # Counted from the end, so that the newest value is among those that are asked for.
    return Window(end - timedelta(seconds=step * math.ceil(span.total_seconds() / step)), end, step)


def began(state: GroupState) -> datetime:
    starts = [mark.starts_at for mark in state.marks.values()]
    return min([*starts, state.started_at])


def picture(
    state: GroupState, found: Sequence[Series], condition: Condition, shown: Window
) -> Picture | None:
    """None when there is nothing to see."""
    fitting = [s for s in found if _agrees(state.labels, s.labels)] or list(found)
    fitting = [series for series in fitting if any(math.isfinite(value) for _, value in series.points)]
    if not fitting:
        return None
    fitting.sort(key=lambda series: _rank(series, condition))
    drawn = fitting[:MOST_SERIES]
    return Picture(
        title=state.card.title,
        series=drawn,
        names=_names(drawn, condition),
        more=len(fitting) - len(drawn),
        threshold=condition.threshold,
        comparator=condition.comparator,
        fired_at=max(began(state), _start(drawn, shown)),
        resolved_at=state.resolved_at,
        start=_start(drawn, shown),
        end=shown.end,
    )


def _start(drawn: Sequence[Series], shown: Window) -> datetime:
    """Time from before anything was measured would only make the rest narrow."""
    first = min(series.points[0][0] for series in drawn)
    return max(shown.start, first - (shown.end - first) / 20)


def _rank(series: Series, condition: Condition) -> float:
    """What went furthest over the threshold comes first."""
    values = [value for _, value in series.points if math.isfinite(value)]
    return min(values) if condition.comparator in {"<", "<=", "=="} else -max(values)


def _names(series: Sequence[Series], condition: Condition) -> list[str]:
    """What tells them apart; a single one is named by what is measured."""
    common = set.intersection(*(set(one.labels.items()) for one in series))
    own = [
        ", ".join(f"{k}={v}" for k, v in sorted(one.labels.items()) if (k, v) not in common) for one in series
    ]
    return [name or condition.measured for name in own]
