"""Figures of the on-call work: counted by hand, read from the records, told and drawn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alert_kit import fires, one, poll, relay_kit
from typer.testing import CliRunner

from bot.core.memory import Record, Records
from bot.core.settings_loader import LoadedSettings
from bot.plugin import Permanent, Rule
from bot.testing import START, Kit
from plugins.alert_relay import cli
from plugins.alert_relay.stats import figures, picture, spells
from plugins.alert_relay.stats.spells import Spell

pytestmark = pytest.mark.unit
MINUTE = timedelta(minutes=1)
SEVERITIES = ("critical", "page")


@pytest.fixture
def kit() -> Iterator[Kit]:
    with relay_kit() as made:
        yield made


def spell(start: float, end: float | None, **fields: Any) -> Spell:
    """Minutes after START; noticed a minute late, with a rule that waits for two."""
    began = START + start * MINUTE
    return Spell(
        **{
            "group": "g",
            "title": "T",
            "severity": "critical",
            "service": "checkout",
            "began": began - 2 * MINUTE,
            "started": began,
            "noticed": began + MINUTE,
            "ended": None if end is None else START + end * MINUTE,
            "end_inferred": False,
            "planned": False,
            "alerts": 1,
            "acked": None,
            "mitigated": None,
            "touched": False,
            **fields,
        }
    )


def made(*found: Spell, until: datetime = START + 120 * MINUTE, runs: Any = ()) -> figures.Figures:
    return figures.make(found, [], runs, since=START, until=until, severities=SEVERITIES)


def test_means_are_of_what_took_place() -> None:
    found = made(
        spell(0, 10, acked=START + 4 * MINUTE, mitigated=START + 6 * MINUTE, touched=True),
        spell(20, 50, acked=START + 22 * MINUTE, touched=True),
        spell(60, None),
    )
    assert found.detect.mean == 180
    assert found.acknowledge == (2, 180, 180, 240)
    assert found.mitigate.mean == 360
    assert (found.resolve.mean, found.resolve.worst) == (1200, 1800)
    assert found.untouched == 1


def test_downtime_is_counted_once_however_many_groups_tell_of_it() -> None:
    found = made(
        spell(0, 10),
        spell(5, 20, group="h"),
        spell(30, 40, planned=True),
        spell(50, 55, severity="warning"),
        spell(60, 70, service="db"),
        spell(110, None),
    )
    down = {(entry.service, entry.month): entry.seconds for entry in found.downtime}
    assert down == {("checkout", "2026-03"): 1800, ("db", "2026-03"): 600}
    assert found.availability()["db"] == pytest.approx(1 - 600 / 7200)


def test_downtime_over_the_turn_of_the_month_belongs_to_both() -> None:
    start = datetime(2026, 3, 31, 23, 0, tzinfo=UTC)
    over = spell(0, 0)._replace(started=start, ended=start + timedelta(hours=3))
    found = made(over, until=start + timedelta(days=1))
    assert [(entry.month, entry.seconds) for entry in found.downtime] == [
        ("2026-03", 3600),
        ("2026-04", 7200),
    ]


def test_nothing_to_measure_is_no_zero() -> None:
    found = made()
    assert found.detect == (0, None, None, None)
    assert found.noise is None


def run(number: int, status: str, name: str = "restart", service: str = "checkout") -> Record:
    data = {"run": f"r{number}", "mitigation": name, "status": status, "service": service}
    return Record(str(number), "mitigation", "g", None, START, data)


def test_a_run_counts_by_its_newest_verdict() -> None:
    newest_first = [
        run(1, "succeeded"),
        run(1, "unknown"),
        run(2, "escalated"),
        run(2, "failed"),
        run(3, "unknown"),
        run(4, "rejected"),
        run(5, "succeeded", "scale"),
    ]
    found = {entry.mitigation: entry for entry in figures.success(newest_first)}
    assert found["restart"][1:] == (1, 1, 1)
    assert found["restart"].rate == 0.5
    assert found["scale"].rate == 1.0
    assert list(figures.success(newest_first, "db")) == []


def test_the_records_of_a_day_add_up(kit: Kit) -> None:
    kit.metrics.add_rule(Rule(name="HighErrorRate", expression="up == 0", hold=120))
    poll(kit)
    started = kit.clock()
    kit.clock.advance(timedelta(seconds=30))
    fires(kit, "HighErrorRate", started=started)
    fires(kit, "SlowCheckout", severity="warning", started=kit.clock())
    kit.clock.advance(4 * MINUTE)
    kit.click("Acknowledge", user="UBOB")
    kit.clock.advance(5 * MINUTE)
    fires(kit, "HighErrorRate", started=started, ended=kit.clock())
    poll(kit, minutes=1)
    kit.command("/signalbox stats 7", user="UANN")
    told = kit.reply.text
    assert "7 days: 2 groups, 1 incident" in told
    assert "Mean time to detect (inferred): 75 s (median 75 s, of 2)" in told
    assert "Mean time to acknowledge: 4 min" in told or "of 1)" in told
    assert "Mean time to mitigate: nothing to measure" in told
    assert "Noise: 2.0 alerts per incident; 1 of 2 groups" in told
    assert "Down (inferred): checkout 2026-03 10 min" in told
    [image] = kit.chat.files
    assert image.content.startswith(b"\x89PNG")


def test_figures_of_one_service(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    fires(kit, "DiskFull", service="database")
    kit.command("/signalbox stats database", user="UANN")
    assert "30 days of database: 1 group, 1 incident" in kit.reply.text


def test_an_end_that_was_only_seen_is_said_to_be(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    kit.alerts.set([])
    poll(kit, minutes=5)
    kit.command("/signalbox stats", user="UANN")
    assert "1 of 1 ends were seen at a poll" in kit.reply.text


def test_without_a_place_for_the_picture_the_figures_are_told(kit: Kit) -> None:
    kit.chat.fail(Permanent("The bot is not in this channel."), on="upload")
    kit.command("/signalbox stats", user="UANN")
    assert "30 days: 0 groups" in kit.reply.text
    assert kit.deadletters == []


def test_a_name_that_looks_like_a_formula_is_drawn_as_text() -> None:
    assert picture.png(made(spell(0, 10, service="$\\frac{"))).startswith(b"\x89PNG")


def test_a_group_that_fires_twice_is_two_spells(kit: Kit) -> None:
    first = kit.clock()
    fires(kit, "HighErrorRate", started=first)
    kit.clock.advance(5 * MINUTE)
    fires(kit, "HighErrorRate", started=first, ended=kit.clock())
    kit.clock.advance(5 * MINUTE)
    again = kit.clock()
    fires(kit, "HighErrorRate", started=again)
    kit.clock.advance(2 * MINUTE)
    fires(kit, "HighErrorRate", started=again, ended=kit.clock())
    records = Records(kit.kernel.db, "alert-relay", None, kit.clock)
    found = spells.read(records, START - timedelta(days=1), {})
    assert [s.ended - s.started for s in found if s.ended] == [5 * MINUTE, 2 * MINUTE]


def test_the_console_shows_incidents_and_figures(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    page = kit.page()
    assert page.title == "Incidents"
    assert "INC-1" in page.model_dump_json()


def test_figures_are_json_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'db.sqlite'}"
    kit = Kit(cli.AlertRelay, database_url=url, settings={"database_url": url})
    kit.clock.set(datetime.now(UTC) - timedelta(minutes=10))
    fires(kit, "HighErrorRate")
    monkeypatch.setattr(cli, "load_local", lambda: LoadedSettings(kit.kernel.settings, {}))
    drawn = tmp_path / "stats.png"
    told = CliRunner().invoke(cli.app, ["stats", "--days", "7", "--picture", str(drawn)]).output
    found = json.loads(told)
    assert (found["groups"], found["incidents"]) == (1, 1)
    assert "seconds_to_detect" in found["inferred"]
    assert drawn.read_bytes().startswith(b"\x89PNG")


def test_what_is_measured_has_labels_of_a_closed_set(kit: Kit) -> None:
    from plugins.alert_relay import metrics  # noqa: PLC0415

    before = metrics.GROUPS.labels("other")._value.get()
    kit.event("alertmanager.group", one("Odd", severity="sev-31337"))
    assert metrics.GROUPS.labels("other")._value.get() == before + 1
