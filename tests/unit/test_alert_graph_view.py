"""Which expression, which time and which series a picture shows."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bot.plugin import Rule, Series
from bot.testing import START
from plugins.alert_relay.graph import view
from plugins.alert_relay.graph.drawing import Picture
from plugins.alert_relay.graph.expression import Condition
from plugins.alert_relay.state import Card, GroupState, Link, Mark

pytestmark = pytest.mark.unit
OVER = Condition("errors", ">", 0.05)


def state(*, resolved_at: datetime | None = None, graph: str = "") -> GroupState:
    links = (Link(label="Graph", url=graph),) if graph else ()
    return GroupState(
        key="g", channel="C1", labels={"alertname": "HighErrorRate", "service": "checkout"},
        card=Card(title="HighErrorRate", links=links), status="resolved" if resolved_at else "firing",
        started_at=START, resolved_at=resolved_at,
        marks={"a": Mark(status="firing", starts_at=START - timedelta(minutes=1), name="a")},
    )  # fmt: skip


def series(value: float, **labels: str) -> Series:
    return Series(labels=labels, points=tuple((START + timedelta(minutes=m), value) for m in range(5)))


def drawn(*found: Series, condition: Condition = OVER) -> Picture | None:
    return view.picture(state(), found, condition, view.window(state(), START + timedelta(minutes=5)))


def test_a_rule_is_found_by_name_and_by_labels_that_are_fixed() -> None:
    other = Rule(name="HighErrorRate", expression="other > 1", labels={"service": "search"})
    ours = Rule(name="HighErrorRate", expression="errors > 0.05", labels={"service": "{{ $labels.app }}"})
    assert view.find(state(), [other, ours]) == OVER


def test_without_the_rule_the_link_to_its_graph_tells() -> None:
    found = view.find(state(graph="http://p:9090/graph?g0.expr=errors+%3E+0.05&g0.tab=1"), [])
    assert found == OVER
    assert view.find(state(), []) is None


def test_the_window_ends_now_or_a_little_after_the_end() -> None:
    now = START + timedelta(hours=2)
    firing = view.window(state(), now)
    over = view.window(state(resolved_at=START + timedelta(hours=1)), now)
    assert firing.end == now
    assert over.end == START + timedelta(hours=1, minutes=5)
    for window in (firing, over):
        assert window.start < START - timedelta(minutes=15)
        points = (window.end - window.start).total_seconds() / window.step
        assert points == int(points) <= 250


def test_a_group_that_fires_for_a_month_is_not_drawn_whole() -> None:
    window = view.window(state(), START + timedelta(days=30))
    assert window.end - window.start < timedelta(days=10)


def test_only_the_groups_own_series_are_drawn_the_worst_first() -> None:
    found = drawn(
        series(0.1, service="checkout", instance="a"), series(0.9, service="search", instance="b"),
        series(0.4, service="checkout", instance="c"),
    )  # fmt: skip
    assert found is not None
    assert list(found.names) == ["instance=c", "instance=a"]


def test_of_many_series_five_are_drawn_and_the_rest_counted() -> None:
    found = drawn(*(series(n / 10, instance=str(n)) for n in range(8)))
    assert found is not None
    assert (len(found.series), found.more) == (5, 3)


def test_what_is_too_low_comes_first_when_low_is_bad() -> None:
    found = drawn(series(5, instance="a"), series(0, instance="b"), condition=Condition("up", "<", 1))
    assert found is not None
    assert list(found.names) == ["instance=b", "instance=a"]


def test_a_single_series_is_named_by_what_is_measured() -> None:
    found = drawn(series(1))
    assert found is not None
    assert list(found.names) == ["errors"]


def test_nothing_to_see_is_no_picture() -> None:
    assert drawn() is None
    assert drawn(series(float("nan"))) is None


def test_the_picture_begins_where_values_begin() -> None:
    found = drawn(series(1))
    assert found is not None
    assert START - timedelta(minutes=1) < found.start <= START
