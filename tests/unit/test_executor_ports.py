"""Executors that act through a port: silences and tickets. And: what all of them share."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.core.errors import Refused, Transient
from bot.core.executors import load_executors
from bot.core.integration import Services
from bot.core.settings import Settings
from bot.plugin import Alert, AlertGroup, Matcher
from bot.testing import START, FakeAlerts, FakeTickets
from bot.testing.clock import Clock
from integrations.mitigations.alertmanager import SilenceParameters, Silences
from integrations.mitigations.jira import TicketFiling, TicketParameters

pytestmark = pytest.mark.unit
NOISE = SilenceParameters(labels={"service": "checkout", "alertname": "Slow"}, minutes=30)


def services(**ports: Any) -> Services:
    return Services(Settings(), Any, lambda message: message, Clock(), lambda name: ports[name])  # type: ignore[arg-type]


def alert(name: str, service: str) -> Alert:
    return Alert(
        fingerprint=f"{name}-{service}", status="firing", labels={"alertname": name, "service": service},
        annotations={}, starts_at=START,
    )  # fmt: skip


@pytest.fixture
def alerts() -> FakeAlerts:
    fake = FakeAlerts(Clock())
    members = (alert("Slow", "checkout"), alert("Slow", "search"), alert("Down", "checkout"))
    group = AlertGroup(
        key="g", group_key="g", receiver="r", status="firing", group_labels={}, common_labels={},
        common_annotations={}, external_url="", alerts=members, truncated=0,
    )  # fmt: skip
    fake.set([group])
    return fake


def test_a_silence_says_whom_it_mutes_before_it_is_made(alerts: FakeAlerts) -> None:
    plan = Silences(services(alerts=alerts)).plan(NOISE, timeout=1)
    assert plan.effect.startswith(
        "1 alerts of 1 services with alertname=Slow, service=checkout will be muted"
    )
    assert alerts.effects == []


def test_a_silence_is_made_found_and_ended(alerts: FakeAlerts) -> None:
    executor = Silences(services(alerts=alerts))
    assert executor.state(NOISE, key="k", timeout=1).progress == "absent"
    executor.run(NOISE, key="k", timeout=1)
    assert executor.state(NOISE, key="k", timeout=1).progress == "done"
    [made] = alerts.silences()
    assert made.ends_at == START + timedelta(minutes=30)
    assert set(made.matchers) == {
        Matcher(name="service", value="checkout"),
        Matcher(name="alertname", value="Slow"),
    }
    back = executor.inverse(NOISE, executor.plan(NOISE, timeout=1))
    assert back is not None
    assert executor.state(back, key="k2", timeout=1).progress == "absent"
    executor.run(back, key="k2", timeout=1)
    assert executor.state(back, key="k2", timeout=1).progress == "done"
    assert [s.state for s in alerts.silences()] == ["expired"]


def test_a_silence_that_people_made_is_not_ended(alerts: FakeAlerts) -> None:
    alerts.silence(
        matchers=NOISE.matchers,
        ends_at=START + timedelta(hours=1),
        created_by="alice",
        comment="",
        step_key="x",
    )
    Silences(services(alerts=alerts)).run(NOISE.model_copy(update={"action": "expire"}), key="k", timeout=1)
    assert [s.state for s in alerts.silences()] == ["active"]


def test_a_label_without_a_value_is_refused(alerts: FakeAlerts) -> None:
    empty = SilenceParameters(labels={"alertname": "Slow", "service": ""})
    with pytest.raises(Refused, match="without a value"):
        Silences(services(alerts=alerts)).plan(empty, timeout=1)


def test_a_ticket_is_filed_once_and_found_again() -> None:
    tickets = FakeTickets()
    executor = TicketFiling(services(tickets=tickets))
    asked = TicketParameters(project="OPS", summary="Disk of db-1 is full", labels=("alert",))
    assert "OPS" in executor.plan(asked, timeout=1).effect
    assert executor.state(asked, key="k", timeout=1).progress == "absent"
    tickets.fail(Transient("cut"), on="create", after=True)
    with pytest.raises(Transient):
        executor.run(asked, key="k", timeout=1)
    found = executor.state(asked, key="k", timeout=1)
    assert found.progress == "done"
    assert "OPS-1" in found.detail
    assert executor.inverse(asked, executor.plan(asked, timeout=1)) is None


def test_all_of_them_are_installed_and_say_what_they_are() -> None:
    found = load_executors(services())
    assert set(found) >= {"http", "command", "kubernetes", "aws", "alertmanager", "jira"}
    for name, executor in found.items():
        assert executor.name == name
        assert executor.target_kind
        assert executor.Parameters.model_json_schema()["type"] == "object"
