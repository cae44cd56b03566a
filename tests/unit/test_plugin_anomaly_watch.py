"""The collector against a fake Prometheus: history, gaps, outages, feedback, figures."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alert_samples import alert, group
from prometheus_client import REGISTRY

from bot.core.context import Context
from bot.core.errors import Transient
from bot.core.events import Event, Payload
from bot.plugin import AlertGroup, Chart, Figures, Page, Prose, Table
from bot.testing import START, Conformance, Delivered, Kit, text_of
from ml.anomaly import Verdict, book
from plugins.anomaly_watch import AnomalyWatch
from plugins.anomaly_watch.collector import collect

pytestmark = pytest.mark.unit
LABELS = {"service": "checkout"}
QUERY = "latency_seconds"
CONFIG: dict[str, Any] = {
    "watch": [{"name": "latency", "query": QUERY, "unit": "s"}],
    "step": 60.0,
    "history_days": 1.0,
    "history_step": 300.0,
}


def feed(kit: Kit, since_hours: float, values: np.ndarray | None = None) -> None:
    """A sample a minute up to now."""
    rows = int(since_hours * 60)
    values = 0.4 + 0.02 * np.random.default_rng(1).normal(size=rows) if values is None else values
    for number, value in enumerate(values):
        kit.metrics.set(
            QUERY, float(value), LABELS, at=kit.clock() - timedelta(minutes=len(values) - 1 - number)
        )


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Kit]:
    settings = {"data_dir": tmp_path, "pushgateway": {"url": "http://gateway.example"}}
    with Kit(AnomalyWatch, config=CONFIG, settings=settings) as made:
        yield made


def anomalous(kit: Kit) -> None:
    feed(kit, 26)
    kit.tick("collect")
    kit.advance(minutes=2)
    feed(kit, 0, np.array([4.2, 4.2]))
    kit.tick("collect")


def about(**changes: Any) -> AlertGroup:
    made = group(alert())
    return made.model_copy(update={"common_labels": {**LABELS, "signalbox_anomaly": "true"}, **changes})


class TestAnomalyWatch(Conformance):
    plugin = AnomalyWatch
    elsewhere = frozenset({"excuse", "explain"})


def pushed(kit: Kit) -> dict[str, float]:
    return {
        f.name.removeprefix("signalbox_anomaly_"): f.value for f in kit.gateway.jobs["signalbox-anomalies"]
    }


def test_history_is_read_on_the_first_start_and_an_anomaly_is_told_in_words(kit: Kit) -> None:
    anomalous(kit)
    found = pushed(kit)
    assert found["firing"] == 1
    assert found["value"] == 4.2
    assert found["lower"] < 0.4 < found["upper"] < 1
    kit.event("alertmanager.group", about())
    text = text_of(kit.chat.messages[-1].message)
    assert "latency" in text
    assert "4.2 s, expected 0.3" in text
    kit.event("alertmanager.group", about(status="resolved"))
    assert "as usual again" in text_of(kit.chat.messages[-1].message)
    assert len(kit.chat.messages) == 1


def test_what_is_wrong_with_one_service_is_one_message_and_what_began_first_leads(tmp_path: Path) -> None:
    names = ("latency", "errors")
    config = {**CONFIG, "watch": [{"name": name, "query": name} for name in names]}
    with Kit(AnomalyWatch, config=config, settings={"data_dir": tmp_path}) as kit:
        usual = 0.4 + 0.02 * np.random.default_rng(1).normal(size=26 * 60)
        for name, wrong in (("latency", 2), ("errors", 6)):
            for ago, value in enumerate(np.where(np.arange(len(usual)) < wrong, 4.2, usual)):
                kit.metrics.set(name, float(value), LABELS, at=kit.clock() - timedelta(minutes=ago))
        kit.tick("collect")
        kit.event("alertmanager.group", about())
        [sent] = kit.chat.messages
        text = text_of(sent.message)
        assert 0 <= text.index("errors (") < text.index("latency (")
        assert "What began first leads" in text


def test_alerts_about_other_things_are_left_alone(kit: Kit) -> None:
    anomalous(kit)
    kit.event("alertmanager.group", group(alert()))
    assert not kit.chat.messages


def test_an_outage_of_prometheus_is_made_up_for_and_alarms_nobody(kit: Kit, tmp_path: Path) -> None:
    feed(kit, 26)
    kit.tick("collect")
    before = book.read(tmp_path / "anomaly" / "latency.states").state["count"][0]
    for _ in range(5):
        kit.advance(minutes=2)
        kit.metrics.fail(Transient("Prometheus is away."))
        kit.tick("collect")
    kit.advance(minutes=1)
    feed(kit, 11 / 60)
    kit.tick("collect")
    after = book.read(tmp_path / "anomaly" / "latency.states").state["count"][0]
    assert after - before == 11
    assert pushed(kit)["firing"] == 0
    assert not kit.deadletters


def test_a_series_that_lagged_behind_the_others_loses_no_sample(kit: Kit, tmp_path: Path) -> None:
    config = AnomalyWatch.Config.model_validate({**CONFIG, "history_days": 0.0})
    late = {"service": "late"}

    def look(minutes: int, *series: dict[str, str]) -> dict[str, int]:
        kit.advance(minutes=minutes)
        for labels in series:
            for ago in range(minutes):
                kit.metrics.set(QUERY, 1.0, labels, at=kit.clock() - timedelta(minutes=ago))
        made = collect(config.watch[0], config, kit.metrics, tmp_path, kit.clock()).book
        return dict(zip(made.names, made.state["count"].tolist(), strict=True))

    before = look(5, LABELS, late)
    kit.metrics.set(QUERY, None, late, at=kit.clock() + timedelta(minutes=1))
    for _ in range(6):
        look(5, LABELS)
    for ago in range(30):
        kit.metrics.set(QUERY, 1.0, late, at=kit.clock() - timedelta(minutes=ago))
    after = look(1, LABELS, late)
    assert {name: after[name] - count for name, count in before.items()} == dict.fromkeys(before, 31)


def test_while_prometheus_is_away_what_was_said_last_stands_for_five_minutes(kit: Kit) -> None:
    anomalous(kit)
    kit.metrics.fail(Transient("Prometheus is away."))
    kit.tick("collect")
    assert pushed(kit)["firing"] == 1
    kit.event("alertmanager.group", about())
    assert "4.2 s, expected 0.3" in text_of(kit.chat.messages[-1].message)
    kit.advance(minutes=6)
    kit.metrics.fail(Transient("Prometheus is away."))
    kit.tick("collect")
    kit.command("anomalies")
    assert "latency: 0 series, 0 anomalous" in text_of(kit.reply.message)


def test_a_series_that_goes_away_while_it_is_anomalous_does_not_fire_for_ever(kit: Kit) -> None:
    anomalous(kit)
    assert _exported("firing") == 1
    kit.metrics.set(QUERY, None, LABELS, at=kit.clock() + timedelta(seconds=1))
    kit.advance(minutes=6)
    kit.metrics.set(QUERY, 0.4, {"service": "cart"}, at=kit.clock())
    kit.tick("collect")
    assert _exported("firing") == 0
    assert math.isnan(_exported("value"))
    kit.command("anomalies")
    assert "latency: 1 series, 0 anomalous" in text_of(kit.reply.message)


def _exported(figure: str) -> float:
    labels = {"watch": "latency", "series": 'service="checkout"', "service": "checkout"}
    found = REGISTRY.get_sample_value(f"signalbox_anomaly_{figure}", labels)
    assert found is not None
    return found


def test_labels_that_come_and_go_are_watched_and_forgotten(tmp_path: Path) -> None:
    config = {**CONFIG, "forget_days": 0.01}
    with Kit(AnomalyWatch, config=config, settings={"data_dir": tmp_path}) as kit:
        for pod in range(4):
            kit.metrics.set(QUERY, 1.0, {"pod": f"p{pod}"}, at=kit.clock())
            kit.tick("collect")
            kit.metrics.set(QUERY, None, {"pod": f"p{pod}"}, at=kit.clock() + timedelta(seconds=1))
            kit.advance(minutes=10)
        kept = book.read(tmp_path / "anomaly" / "latency.states").names
        assert [json.loads(name)["pod"] for name in kept] == ["p2", "p3"]
        assert not kit.deadletters


def test_what_is_not_a_number_is_passed_over(kit: Kit, tmp_path: Path) -> None:
    feed(kit, 26)
    kit.tick("collect")
    before = book.read(tmp_path / "anomaly" / "latency.states").state["count"][0]
    for value in (math.nan, math.inf, -math.inf, 0.4):
        kit.advance(minutes=1)
        kit.metrics.set(QUERY, value, LABELS, at=kit.clock())
        kit.tick("collect")
    assert book.read(tmp_path / "anomaly" / "latency.states").state["count"][0] == before + 1
    assert pushed(kit)["firing"] == 0


def test_services_are_told_by_the_label_that_says_so(tmp_path: Path) -> None:
    config = {**CONFIG, "group_by": "team"}
    with Kit(AnomalyWatch, config=config, settings={"data_dir": tmp_path}) as kit:
        for minute in range(26 * 60, -1, -1):
            at = kit.clock() - timedelta(minutes=minute)
            kit.metrics.set(QUERY, 4.2 if minute < 2 else 0.4 + 0.01 * (minute % 7), {"team": "pay"}, at=at)
        kit.tick("collect")
        kit.event("alertmanager.group", about(common_labels={"service": "pay", "signalbox_anomaly": "true"}))
        assert "4.2 s, expected 0." in text_of(kit.chat.messages[-1].message)


def test_no_sample_counts_twice(kit: Kit, tmp_path: Path) -> None:
    feed(kit, 26)
    kit.tick("collect")
    once = (tmp_path / "anomaly" / "latency.states").read_bytes()
    kit.tick("collect")
    assert (tmp_path / "anomaly" / "latency.states").read_bytes() == once


def test_not_an_anomaly_adjusts_the_series_once_and_is_kept_as_a_label(kit: Kit, tmp_path: Path) -> None:
    kit.grant("U1", "anomaly.*")
    anomalous(kit)
    kit.event("alertmanager.group", about())
    pressed: Delivered = kit.click("Not an anomaly")
    kit.rerun(pressed)
    assert book.read(tmp_path / "anomaly" / "latency.states").state["tolerance"][0] == 1.5
    assert [r.data["by"] for r in kit.records("not-an-anomaly")] == ["U1"]
    assert len(kit.audit) == 1


def test_series_beyond_the_limit_are_left_out_and_counted(kit: Kit, tmp_path: Path) -> None:
    for number in range(5):
        kit.metrics.set(QUERY, 1.0, {"instance": str(number)}, at=START - timedelta(days=2))
    config = AnomalyWatch.Config.model_validate({**CONFIG, "max_series": 3})
    found = collect(config.watch[0], config, kit.metrics, tmp_path, kit.clock())
    assert len(found.book.names) == 3
    assert found.left_out == 2


def test_the_command_says_what_is_watched(kit: Kit) -> None:
    anomalous(kit)
    kit.command("anomalies")
    assert "latency: 1 series, 1 anomalous" in text_of(kit.reply.message)


def _page(kit: Kit) -> Page:
    event = Event("console", "console", "console.page", kit.plugin.name, kit.clock(), "")
    return kit.plugin.page(Context(kit.kernel, event, next(kit.plugin.handlers()), Payload()))


def test_the_page_shows_what_fires_in_its_band_and_who_disagreed(kit: Kit) -> None:
    kit.grant("U1", "anomaly.*")
    anomalous(kit)
    kit.event("alertmanager.group", about())
    kit.click("Not an anomaly")
    chosen = '{watch="latency",series="service=\\"checkout\\""}'
    for name, value in (("value", 4.2), ("lower", 0.3), ("upper", 0.5)):
        kit.metrics.set(
            f"max(signalbox_anomaly_{name}{chosen})", value, at=kit.clock() - timedelta(minutes=9)
        )
    figures, firing, chart, excused = _page(kit).parts
    assert isinstance(figures, Figures)
    assert [figure.value for figure in figures.items] == ["1", "1", "1"]
    assert isinstance(firing, Table)
    assert "4.2 s, expected 0.3" in firing.rows[0][0]
    assert isinstance(chart, Chart)
    assert {name: line[-1] for name, line in chart.series} == {"value": 4.2, "lower": 0.3, "upper": 0.5}
    assert isinstance(excused, Table)
    assert [row[1:3] for row in excused.rows] == [('service="checkout"', "U1")]


def test_the_page_stands_while_prometheus_is_away(kit: Kit) -> None:
    kit.metrics.fail(Transient("Prometheus is away."))
    found = _page(kit)
    assert any(isinstance(part, Prose) and "Prometheus is away" in part.text for part in found.parts)


def test_another_engines_word_is_judged_by_what_people_excused() -> None:
    said = Verdict(100.0, 4.2, True, 0.75, 0.75, 0.4, 0.3, 0.5, True, 90.0, "value", math.inf)
    kept = book.Book().hearing({"s": said})
    assert kept.latest(0.0)["s"] == replace(said, news=0.0)
    found = kept.excused("s", 4.0).hearing({"s": replace(said, at=160.0)}).latest(0.0)["s"]
    assert found.score == pytest.approx((3 / 4) / (1 + 3 / 4))
    assert not found.firing
    assert kept.excused("s", 4.0).hearing({"s": replace(said, score=1.0)}).latest(0.0)["s"].firing
