"""The picture of the metric in the thread of an alert's message."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta

import pytest
from alert_samples import LABELS, alert, group, resolved

from bot.plugin import AlertGroup, Permanent, Rule, Series, Transient
from bot.testing import START, Kit
from plugins.alert_relay import AlertRelay
from plugins.alert_relay.graph import drawing
from plugins.alert_relay.graph.drawing import Picture

pytestmark = pytest.mark.unit
PNG = b"\x89PNG\r\n\x1a\n"
RULE = Rule(name=LABELS["alertname"], expression="errors > 0.05", hold=60)


@pytest.fixture
def kit() -> Iterator[Kit]:
    with Kit(AlertRelay, settings={"prometheus": {"url": "http://prometheus"}}) as kit:
        kit.metrics.add_rule(RULE)
        kit.metrics.set("errors", 0.01, {"service": "checkout"}, at=START - timedelta(hours=1))
        kit.metrics.set("errors", 0.2, {"service": "checkout"}, at=START - timedelta(minutes=3))
        yield kit


def relay(kit: Kit, one: AlertGroup) -> None:
    kit.alerts.set([one] if one.status == "firing" else [])
    kit.event("alertmanager.group", one, subject=one.key)


def test_a_group_that_fires_gets_a_picture_in_its_thread_once(kit: Kit) -> None:
    relay(kit, group(alert()))
    relay(kit, group(alert(), alert("web-2")))
    [file] = kit.chat.files
    assert file.content.startswith(PNG)
    assert file.thread == kit.chat.messages[0].ts
    assert file.title.endswith("firing")


def test_its_end_gets_another(kit: Kit) -> None:
    relay(kit, group(alert()))
    kit.advance(minutes=10)
    kit.metrics.set("errors", 0.01, {"service": "checkout"})
    relay(kit, group(resolved()))
    assert [file.title.rpartition(", ")[2] for file in kit.chat.files] == ["firing", "resolved"]


def test_nobody_waits_for_a_prometheus_that_is_away(kit: Kit) -> None:
    kit.metrics.fail(Transient("Prometheus is away."), times=2, on="query_range")
    relay(kit, group(alert()))
    assert len(kit.chat.messages) >= 1
    assert kit.chat.files == []
    kit.settle()
    assert len(kit.chat.files) == 1


def test_a_picture_that_can_not_be_made_in_time_is_given_up(kit: Kit) -> None:
    kit.metrics.fail(Transient("Prometheus is away."), times=100)
    relay(kit, group(alert()))
    kit.settle()
    assert kit.chat.files == []
    assert kit.deadletters == []


def test_what_has_no_rule_no_link_or_no_data_has_no_picture(kit: Kit) -> None:
    labels = {"alertname": "Other", "service": "checkout"}
    relay(kit, group(alert(), labels=labels))
    kit.metrics.fail(Permanent("refused"), on="rules")
    relay(kit, group(alert(), key="g2"))
    kit.settle()
    assert kit.chat.files == []
    assert kit.deadletters == []


def test_an_upload_that_is_cut_off_leaves_one_picture(kit: Kit) -> None:
    kit.chat.fail(Transient("cut"), on="upload", after=True)
    relay(kit, group(alert()))
    kit.settle()
    assert len(kit.chat.files) == 1


def test_without_prometheus_nothing_is_asked() -> None:
    with Kit(AlertRelay) as kit:
        relay(kit, group(alert()))
        assert [call.method for call in kit.metrics.calls if call.method == "query_range"] == []


def series(n: int, value: float = 1.0) -> Series:
    points = tuple((START + timedelta(minutes=m), value + m) for m in range(30) if m % 7)
    return Series(labels={"instance": f"web-{n}"}, points=points)


@pytest.mark.parametrize("value", [0.0, 1e9, -5.0, math.inf, math.nan])
def test_odd_values_and_names_are_drawn(value: float) -> None:
    names = ["$x_1^2$", "_hidden", "naïve 名前", "a" * 500, ""]
    picture = Picture(
        title="$\\frac{1}{0}$ <b>", series=[series(n, value) for n in range(5)], names=names, more=7,
        threshold=None, comparator="", fired_at=START, resolved_at=None,
        start=START, end=START + timedelta(minutes=30),
    )  # fmt: skip
    assert drawing.png(picture).startswith(PNG)
