"""Storms and quiet hours: groups wait, are counted, and are shown in the end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from alert_kit import fires, lines, notify, one, poll, relay_kit, titled

from bot.testing import Kit, Shown
from plugins.alert_relay.holding import holds
from plugins.alert_relay.holding.holds import Holds
from plugins.alert_relay.routing.quiet import QuietHours

pytestmark = pytest.mark.unit
LIMIT = 5


@pytest.fixture
def kit() -> Iterator[Kit]:
    with relay_kit(storm_groups=LIMIT, oncall={"web": {"users": ["UANN"]}}, escalate_to="web") as made:
        yield made


def burst(kit: Kit, number: int, *, severity: str = "warning", name: str = "Fault") -> None:
    made = [one(f"{name}{n}", service=f"s{n}", severity=severity, started=kit.clock()) for n in range(number)]
    kit.alerts.set([*kit.alerts.groups(), *made])
    for group in made:
        notify(kit, group)


def summary(kit: Kit) -> Shown:
    [shown] = [s for s in kit.chat.messages if s.key.startswith("hold:")]
    return shown


def own(kit: Kit) -> list[Shown]:
    return [shown for shown in kit.chat.messages if shown.key.startswith("alert:")]


# -- storms ------------------------------------------------------------------------------------------


def test_a_storm_is_one_message_and_none_of_its_groups_is_lost(kit: Kit) -> None:
    burst(kit, 60)
    poll(kit, seconds=20)
    assert len(own(kit)) == LIMIT
    assert "Alert storm rages: 55 groups wait here" in summary(kit).text
    assert "55 warning" in summary(kit).text
    assert "and 43 more" in summary(kit).text
    for _ in range(13):
        poll(kit, seconds=30)
    assert len(own(kit)) == 60
    assert "Alert storm over" in summary(kit).text
    assert "55 have a message of their own" in summary(kit).text
    assert len(lines(kit)) == 61


def test_in_a_storm_the_worst_come_first(kit: Kit) -> None:
    burst(kit, 20)
    burst(kit, 3, severity="critical", name="Down")
    poll(kit, seconds=10)
    listed = summary(kit).text
    assert listed.index("Down") < listed.index("Fault")
    assert summary(kit).message.severity == "critical"
    assert "<http://prometheus.example/Down" in listed
    before = {shown.key for shown in own(kit)}
    poll(kit, minutes=1)
    released = [shown for shown in own(kit) if shown.key not in before]
    assert [("Down" in shown.text) for shown in released[:3]] == [True] * 3


def test_what_ends_in_the_storm_is_counted_and_not_posted(kit: Kit) -> None:
    burst(kit, 20)
    poll(kit, seconds=10)
    kit.alerts.set([])
    poll(kit, minutes=2)
    assert len(own(kit)) == LIMIT
    assert "15 ended meanwhile" in summary(kit).text
    assert summary(kit).message.severity == "good"


def test_a_group_that_ended_in_the_storm_and_fires_after_it_is_shown(kit: Kit) -> None:
    burst(kit, 8)
    kit.alerts.set([])
    poll(kit, minutes=2)
    assert "3 ended meanwhile" in summary(kit).text
    fires(kit, "Fault7", service="s7", severity="warning")
    poll(kit, seconds=30)
    assert "Fault7" in titled(kit, "Fault7").text


def test_whoever_has_to_be_called_is_not_kept_waiting() -> None:
    config = {"oncall": {"web": {"users": ["UANN"]}}, "escalate_to": "web", "escalate_minutes": 1}
    with relay_kit(storm_groups=LIMIT, **config) as kit:
        burst(kit, 8)
        for n in range(3):
            burst(kit, 8, name=f"More{n}")
            poll(kit, seconds=30)
        assert any("<@UANN>" in shown.text for shown in kit.chat.messages)


def test_a_released_group_appears_on_its_incidents_line(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    burst(kit, 12)
    fires(kit, "SlowCheckout", severity="warning")
    assert "groups fire" not in titled(kit, "HighErrorRate").text
    kit.command("/signalbox alerts", user="UANN")
    assert "waits for a message of its own" in kit.reply.text
    for _ in range(6):
        poll(kit, seconds=30)
    assert "2 of 2 groups fire" in titled(kit, "HighErrorRate").text


def test_a_second_storm_has_its_own_summary(kit: Kit) -> None:
    burst(kit, 8)
    poll(kit, seconds=10)
    kit.alerts.set([])
    poll(kit, minutes=2)
    kit.clock.advance(timedelta(hours=2))
    burst(kit, 8, name="Later")
    poll(kit, seconds=10)
    assert len([s for s in kit.chat.messages if s.key.startswith("hold:")]) == 2


def test_groups_that_come_slowly_are_no_storm(kit: Kit) -> None:
    for n in range(12):
        fires(kit, f"Fault{n}", service=f"s{n}")
        kit.clock.advance(timedelta(seconds=15))
    assert len(own(kit)) == 12


def test_a_storm_asks_alertmanager_once_a_poll(kit: Kit) -> None:
    burst(kit, 60)
    asked = [call for call in kit.alerts.calls if call.method == "groups"]
    assert len(asked) <= LIMIT + 2


def test_a_limit_of_nothing_knows_no_storm() -> None:
    with relay_kit(storm_groups=0) as kit:
        burst(kit, 30)
        assert len(own(kit)) == 30


def test_the_storm_of_one_channel_is_not_that_of_another() -> None:
    route = {"channel": "#database", "match": {"service": "db"}}
    with relay_kit(storm_groups=LIMIT, routes=[route]) as kit:
        burst(kit, 20)
        fires(kit, "DiskFull", service="db")
        assert lines(kit, "#database")


def test_a_summary_is_shown_at_most_every_few_seconds() -> None:
    now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    known, shown = Holds(), 0
    for n in range(200):
        at = now + timedelta(seconds=n / 20)
        known, found = holds.admitted(known, "#a", at, limit=LIMIT, quiet_until=None)
        shown += found.show
    assert shown == 2


# -- quiet hours -------------------------------------------------------------------------------------

QUIET = {"start": "22:00", "end": "07:00"}
NIGHT = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)


@pytest.fixture
def night() -> Iterator[Kit]:
    with relay_kit(quiet=QUIET) as made:
        made.clock.set(NIGHT)
        yield made


def test_at_night_only_the_urgent_is_posted(night: Kit) -> None:
    fires(night, "SlowCheckout", severity="warning")
    fires(night, "HighErrorRate", service="other")
    fires(night, "Unrated", service="third", severity="")
    assert len(own(night)) == 2
    poll(night, hours=7)
    assert len(own(night)) == 2
    poll(night, minutes=31)
    assert "SlowCheckout" in titled(night, "SlowCheckout").text


def test_in_the_morning_it_is_told_what_came_and_went(night: Kit) -> None:
    fires(night, "SlowCheckout", severity="warning")
    fires(night, "QueueGrows", severity="info")
    fires(night, "QueueGrows", severity="info", started=NIGHT, ended=NIGHT + timedelta(minutes=3))
    poll(night, hours=8)
    poll(night, minutes=1)
    assert "2 groups held back" in summary(night).text
    assert "1 ended meanwhile" in summary(night).text
    assert "1 have a message of their own" in summary(night).text


def test_what_gets_worse_at_night_does_not_wait(night: Kit) -> None:
    fires(night, "SlowCheckout", severity="warning")
    night.clock.advance(timedelta(minutes=5))
    fires(night, "SlowCheckout", severity="critical")
    poll(night, minutes=1)
    assert titled(night, "SlowCheckout").message.severity == "critical"


def test_a_hushed_night_posts_and_calls_nobody_until_the_morning() -> None:
    called = {"oncall": {"web": {"users": ["UANN"]}}, "escalate_to": "web", "escalate_minutes": 5}
    with relay_kit(quiet={**QUIET, "mode": "hush"}, **called) as kit:
        kit.clock.set(NIGHT)
        fires(kit, "SlowCheckout", severity="warning")
        poll(kit, minutes=30)
        assert len(own(kit)) == 1
        assert not any("UANN" in shown.text for shown in kit.chat.messages)
        poll(kit, hours=7, minutes=1)
        assert any("<@UANN>" in shown.text for shown in kit.chat.messages)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-03-02T21:59", None),
        ("2026-03-02T22:00", "2026-03-03T07:00"),
        ("2026-03-03T06:59", "2026-03-03T07:00"),
        ("2026-03-03T07:00", None),
        ("2026-03-07T12:00", "2026-03-09T07:00"),  # a Saturday: the weekend, then the night to Monday
        ("2026-03-06T23:00", "2026-03-09T07:00"),
    ],
)
def test_the_quiet_ends_when_it_is_loud_again(at: str, until: str | None) -> None:
    hours = QuietHours(all_day=("sat", "sun"))
    found = hours.until("warning", datetime.fromisoformat(at).replace(tzinfo=UTC))
    assert found == (datetime.fromisoformat(until).replace(tzinfo=UTC) if until else None)
    assert hours.until("critical", NIGHT) is None


def test_quiet_hours_know_the_summer() -> None:
    hours = QuietHours(zone="Europe/Berlin")
    night = datetime(2026, 3, 28, 22, tzinfo=UTC)  # 23:00 in Berlin; the clocks go forward at 2
    assert hours.until("info", night) == datetime(2026, 3, 29, 5, tzinfo=UTC)
