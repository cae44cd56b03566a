"""Maintenance windows, explanations, and routes tried on past groups."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alert_kit import fires, lines, poll, relay_kit, titled
from pydantic import ValidationError
from typer.testing import CliRunner

from bot.core.errors import ConfigError
from bot.core.settings_loader import LoadedSettings
from bot.testing import START, Kit
from plugins.alert_relay import cli, incidents_cli, simulation
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.routing.maintenance import Maintenance
from plugins.alert_relay.simulation import Past

pytestmark = pytest.mark.unit
CALLED: dict[str, Any] = {
    "oncall": {"web": {"users": ["UANN"]}},
    "escalate_to": "web",
    "escalate_minutes": 5,
}


@pytest.fixture
def kit() -> Iterator[Kit]:
    with relay_kit(**CALLED) as made:
        yield made


def say(kit: Kit, line: str, user: str = "UANN") -> str:
    kit.command(f"/signalbox {line}", user=user)
    return kit.reply.text


def calls(kit: Kit) -> list[str]:
    return [
        shown.text
        for shown in kit.chat.messages
        if "<@UANN>" in shown.text and "nobody has ack" in shown.text
    ]


# -- maintenance -------------------------------------------------------------------------------------


def test_in_a_maintenance_window_nobody_is_called(kit: Kit) -> None:
    said = say(kit, "maintenance start 1h service=checkout Database upgrade")
    assert "*Database upgrade* until 10:00 UTC for service=checkout" in said
    fires(kit, "HighErrorRate")
    [line] = lines(kit)
    assert "Maintenance *Database upgrade* until Mon 02 Mar 10:00 UTC: nobody is called" in line.text
    assert line.message.severity == "info"
    poll(kit, minutes=30)
    assert calls(kit) == []
    [fact] = kit.records("maintenance")
    assert fact.data["name"] == "Database upgrade"


def test_what_outlasts_its_maintenance_needs_somebody(kit: Kit) -> None:
    say(kit, "maintenance start 30m service=checkout Upgrade")
    fires(kit, "HighErrorRate")
    poll(kit, minutes=31)
    assert titled(kit, "HighErrorRate").message.severity == "critical"
    assert any("maintenance Upgrade is over and this still fires" in s.text for s in kit.chat.messages)
    assert calls(kit) == []
    poll(kit, minutes=5)
    assert len(calls(kit)) == 1


def test_a_window_that_is_opened_later_covers_what_fires_already(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    say(kit, "maintenance start 2h service=checkout Upgrade")
    poll(kit, seconds=30)
    assert titled(kit, "HighErrorRate").message.severity == "info"
    window_id = say(kit, "maintenance").rpartition("`")[0].rpartition("`")[2]
    assert "is over" in say(kit, f"maintenance end {window_id}")
    poll(kit, seconds=30)
    assert titled(kit, "HighErrorRate").message.severity == "critical"


def test_other_services_are_not_covered(kit: Kit) -> None:
    say(kit, "maintenance start 2h service=checkout Upgrade")
    fires(kit, "DiskFull", service="database")
    assert titled(kit, "DiskFull").message.severity == "critical"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("maintenance start 2x service=a", "not a span"),
        ("maintenance start 31d service=a", "at most 30 days"),
        ("maintenance start 2h Upgrade", "Name the labels"),
        ("maintenance end nothing", "No open window"),
        ("maintenance what", "maintenance start 2h service=checkout"),
    ],
)
def test_a_faulty_window_is_refused_with_how_to_mend_it(kit: Kit, asked: str, said: str) -> None:
    assert said in say(kit, asked)


def test_a_stranger_opens_no_window(kit: Kit) -> None:
    say(kit, "maintenance start 2h service=checkout", user="USTRANGER")
    assert "0 maintenance windows" in say(kit, "maintenance list")


def test_a_window_of_the_settings_returns_every_week() -> None:
    window = Maintenance(
        name="Backup", match={"job": "db"}, cron="0 2 * * SUN", hours=2, zone="Europe/Berlin"
    )
    sunday = datetime(2026, 3, 8, 1, 0, tzinfo=UTC)
    assert window.until(sunday) == sunday + timedelta(hours=2)
    assert window.until(sunday + timedelta(hours=1, minutes=59)) == sunday + timedelta(hours=2)
    assert window.until(sunday + timedelta(hours=2)) is None
    assert window.until(sunday - timedelta(seconds=2)) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"match": {"a": "b"}},
        {"match": {"a": "b"}, "cron": "nonsense", "hours": 1},
        {"match": {"a": "b"}, "cron": "0 2 * * *"},
        {"match": {"a": "b"}, "start": START, "end": START},
        {"start": START, "end": START + timedelta(hours=1)},
        {"match": {"a": "b"}, "cron": "0 2 * * *", "hours": 1, "zone": "Mars/Olympus"},
    ],
)
def test_a_window_without_a_time_or_labels_stops_the_start(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Maintenance(name="x", **fields)


# -- explanations ------------------------------------------------------------------------------------


def test_an_explanation_tells_of_quiet_hours_maintenance_and_the_incident() -> None:
    with relay_kit(**CALLED, quiet={"start": "22:00", "end": "07:00", "mode": "hush"}) as kit:
        say(kit, "maintenance start 2h service=checkout Upgrade")
        fires(kit, "HighErrorRate", severity="warning")
        fires(kit, "SlowCheckout", severity="warning")
        told = say(kit, "alerts explain SlowCheckout")
        assert "quiet from 22:00 to 07:00 UTC, but it is not quiet now" in told
        assert "The maintenance *Upgrade* covers it until 11:00 UTC" in told
        assert "in #alerts, in the thread of INC-1" in told
        kit.clock.set(datetime(2026, 3, 2, 23, tzinfo=UTC))
        assert "so it calls nobody until Tue 03 Mar 07:00 UTC" in say(kit, "alerts explain severity=warning")


def test_an_explanation_tells_why_a_group_waits() -> None:
    with relay_kit(quiet={"start": "08:00", "end": "20:00"}) as kit:
        fires(kit, "SlowCheckout", severity="warning")
        assert "waits for a message of its own because of quiet hours" in say(
            kit, "alerts explain SlowCheckout"
        )


# -- simulation --------------------------------------------------------------------------------------


def past(**labels: str) -> Past:
    return Past("T", labels.get("severity", ""), labels, "#alerts", datetime(2026, 3, 2, 23, tzinfo=UTC))


def test_other_settings_are_compared_group_by_group() -> None:
    before = AlertRelayConfig.model_validate(CALLED)
    after = AlertRelayConfig.model_validate(
        {
            **CALLED,
            "routes": [{"channel": "#pay", "match": {"service": "pay"}, "escalate_minutes": 0}],
            "quiet": {"below": "critical"},
            "maintenance": [
                {"name": "Nightly", "match": {"service": "db"}, "cron": "0 22 * * *", "hours": 3},
            ],
        }
    )
    groups = [
        past(service="pay", severity="critical"),
        past(service="web", severity="critical"),
        past(service="web", severity="warning"),
        past(service="db", severity="critical"),
    ]
    found = simulation.compare(groups, before, after)
    assert found.groups == 4
    assert sorted(name for name, _ in found.by_way()) == [
        "#alerts → #pay, calls web → nobody",
        "calls web → nobody, in the maintenance Nightly",
        "waits in quiet hours",
    ]


def test_past_groups_are_tried_by_the_present_settings() -> None:
    with relay_kit(routes=[{"channel": "#pay", "match": {"service": "pay"}}]) as kit:
        fires(kit, "HighErrorRate", service="pay")
        assert "Of 1 group in 30 days, 0 would go elsewhere" in say(kit, "alerts simulate")
        kit.plugin.config = AlertRelayConfig()  # as after a restart with other settings
        told = say(kit, "alerts simulate 7")
        assert "Of 1 group in 7 days, 1 would go elsewhere" in told
        assert "#pay → #alerts" in told


# -- the command line --------------------------------------------------------------------------------


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kit:
    """A database with one incident that is over, as the command line finds it."""
    url = f"sqlite:///{tmp_path / 'db.sqlite'}"
    kit = Kit(cli.AlertRelay, config=CALLED, database_url=url, settings={"database_url": url})
    kit.clock.set(datetime.now(UTC) - timedelta(hours=1))
    started = kit.clock()
    fires(kit, "HighErrorRate")
    kit.clock.advance(timedelta(minutes=9))
    fires(kit, "HighErrorRate", started=started, ended=kit.clock())
    for module in (cli, incidents_cli):
        monkeypatch.setattr(module, "load_local", lambda: LoadedSettings(kit.kernel.settings, {}))
    return kit


def test_settings_are_tried_on_the_command_line(stored: Kit, tmp_path: Path) -> None:
    new = tmp_path / "new.toml"
    new.write_text('[plugins.alert-relay]\nchannel = "#elsewhere"\n', encoding="utf-8")
    told = CliRunner().invoke(cli.app, ["simulate", "--config", str(new)]).output
    assert "1 groups in 30 days, 1 would change." in told
    assert "#alerts → #elsewhere" in told
    found = json.loads(CliRunner().invoke(cli.app, ["simulate", "--config", str(new), "--json"]).output)
    assert found["changes"][0]["after"]["channel"] == "#elsewhere"


@pytest.mark.parametrize("text", ["[plugins", "[plugins.alert-relay]\nchannel = 3\n"])
def test_settings_that_do_not_hold_are_refused(tmp_path: Path, text: str) -> None:
    new = tmp_path / "new.toml"
    new.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"new\.toml"):
        cli.read(new)


def test_incidents_are_listed_and_exported_on_the_command_line(stored: Kit, tmp_path: Path) -> None:
    listed = CliRunner().invoke(incidents_cli.app, ["list", "--all"]).output
    assert "INC-1" in listed
    assert "checkout: HighErrorRate" in listed
    assert CliRunner().invoke(incidents_cli.app, ["list"]).output == ""
    out = tmp_path / "post.md"
    CliRunner().invoke(incidents_cli.app, ["export", "inc-1", "--out", str(out)])
    assert "| Time to resolve | 9 min |" in out.read_text(encoding="utf-8")
    found = json.loads(CliRunner().invoke(incidents_cli.app, ["export", "1", "--format", "json"]).output)
    assert found["seconds_to_resolve"] == 540
    missing = CliRunner().invoke(incidents_cli.app, ["export", "INC-7"])
    assert missing.exit_code == 1
    assert isinstance(missing.exception, SystemExit)
