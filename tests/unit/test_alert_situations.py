"""Whatever Alertmanager does not say, the message tells its state after one poll.

The situations are those in which a notification is repeated, late, cut short or never sent, measured on
Alertmanager 0.25; each test names one, plays it and compares the message with what Alertmanager holds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from alert_kit import lines, notify, poll, relay_kit
from alert_samples import alert, group, recorded, resolved

from bot.plugin import Alert, AlertGroup, Matcher, Silence, Transient
from bot.testing import START, Kit, Shown
from integrations.alertmanager.models import Notification
from integrations.alertmanager.source import KIND
from tests.recordings import recording

pytestmark = pytest.mark.unit
GROUP = {"alertname": "HighErrorRate", "service": "checkout"}


@pytest.fixture
def kit() -> Iterator[Kit]:
    with relay_kit(storm_groups=0) as made:
        yield made


def fires(kit: Kit, delivered: AlertGroup) -> None:
    """Alertmanager holds the group and tells of it."""
    holds(kit, delivered)
    notify(kit, delivered)


def holds(kit: Kit, *groups: AlertGroup) -> None:
    """What Alertmanager lists; alerts that are over are not in its list."""
    kit.alerts.set([g.model_copy(update={"alerts": g.firing()}) for g in groups if g.firing()])


def told(kit: Kit, key: str = "g1") -> Shown:
    """The newest message of a group."""
    return [shown for shown in kit.chat.messages if shown.key.startswith(f"alert:{key}:")][-1]


def counts(shown: Shown) -> dict[str, int]:
    return {
        word: int(number)
        for number, word in re.findall(r"(\d+) (firing|silenced|inhibited|muted)", shown.text)
    }


def agrees(kit: Kit) -> None:
    """Every message says what Alertmanager holds, and every group that it holds aloud has one."""
    listed = {found.key: found for found in kit.alerts.groups()}
    living = {shown.key.split(":")[1]: shown for shown in kit.chat.messages if shown.key.startswith("alert:")}
    for key, shown in living.items():
        if key not in listed:
            assert "resolved after" in shown.text
            assert shown.buttons == []
            continue
        assert counts(shown) == Counter(state_of(found) for found in listed[key].alerts)
    for key, found in listed.items():
        assert key in living or all(state_of(a) != "firing" for a in found.alerts)


def state_of(found: Alert) -> str:
    if found.silenced_by:
        return "silenced"
    return "inhibited" if found.inhibited_by else "muted" if found.muted_by else "firing"


# -- what comes more than once -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "why"),
    [
        (2, "the repeat after repeat_interval is identical to the first"),
        (8, "the receiver answered 503 for ten seconds"),
        (13, "the receiver did not answer for sixty seconds"),
        (92, "the receiver cut the connection after the work"),
    ],
)
def test_identical_deliveries_are_one_message(kit: Kit, times: int, why: str) -> None:
    delivered = recorded("grouped_firing_2.json")
    holds(kit, delivered)
    for _ in range(times):
        notify(kit, delivered)
    poll(kit)
    assert len(kit.chat.messages) == 1, why
    assert lines(kit)[0].updates == 0, why
    agrees(kit)


def test_identical_bodies_are_not_even_stored_twice() -> None:
    body = recording("single_firing.json")
    one, other = (Notification.model_validate_json(body) for _ in range(2))
    assert one.fingerprint() == other.fingerprint()
    changed = Notification.model_validate_json(recording("single_resolved.json"))
    assert changed.fingerprint() != one.fingerprint()


def test_the_twin_of_a_split_pair_changes_nothing(kit: Kit) -> None:
    fires(kit, group(alert()))
    kit.clock.advance(timedelta(milliseconds=10))
    notify(kit, group(alert()).model_copy(update={"external_url": "http://twin.example"}))
    poll(kit)
    assert (len(kit.chat.messages), lines(kit)[0].updates) == (1, 0)
    agrees(kit)


def test_three_failures_and_a_late_delivery_are_one_message(kit: Kit) -> None:
    holds(kit, group(alert()))
    kit.clock.advance(timedelta(seconds=1.7))
    notify(kit, group(alert()))
    poll(kit)
    assert len(lines(kit)) == 1
    agrees(kit)


def test_a_resolved_alert_that_is_listed_again_stays_resolved(kit: Kit) -> None:
    fires(kit, group(alert(), alert("web-2")))
    partial = group(resolved(), alert("web-2"))
    fires(kit, partial)
    poll(kit, minutes=5)
    fires(kit, partial)
    assert counts(told(kit)) == {"firing": 1}
    agrees(kit)


# -- what never comes --------------------------------------------------------------------------------


def test_a_group_whose_notification_was_refused_is_taken_in(kit: Kit) -> None:
    fires(kit, group(alert("db"), labels={"alertname": "Other"}, key="g0"))
    refused = group(alert(started=START))
    holds(kit, group(alert("db"), labels={"alertname": "Other"}, key="g0"), refused)
    poll(kit, seconds=30)
    assert len(lines(kit)) == 1  # it may still come by itself
    poll(kit, seconds=30)
    agrees(kit)
    assert counts(told(kit)) == {"firing": 1}


def test_what_fired_and_ended_while_it_was_refused_leaves_nothing_behind(kit: Kit) -> None:
    fires(kit, group(alert("db"), labels={"alertname": "Other"}, key="g0"))
    poll(kit, minutes=5)
    agrees(kit)
    assert len(lines(kit)) == 1


def test_an_end_that_was_refused_is_seen(kit: Kit) -> None:
    fires(kit, group(alert()))
    holds(kit)
    poll(kit, seconds=30)
    agrees(kit)
    assert "resolved after" in told(kit).text


def test_groups_of_other_receivers_are_not_ours(kit: Kit) -> None:
    fires(kit, group(alert()))
    mail = group(alert("mail", started=START - timedelta(hours=1)), key="g5")
    holds(kit, group(alert()), mail.model_copy(update={"receiver": "mail"}))
    poll(kit, minutes=5)
    assert len(lines(kit)) == 1


def test_a_silence_is_seen_with_its_maker_and_its_end(kit: Kit) -> None:
    fires(kit, group(alert()))
    matchers = tuple(Matcher(name=name, value=value) for name, value in GROUP.items())
    end = kit.clock() + timedelta(hours=2)
    kit.alerts.put(Silence(id="s1", matchers=matchers, ends_at=end, created_by="dora", comment="disk swap"))
    poll(kit, seconds=30)
    agrees(kit)
    assert "by dora: disk swap" in told(kit).text
    kit.alerts.put(Silence(id="s1", matchers=matchers, ends_at=kit.clock(), created_by="dora"))
    poll(kit, seconds=30)
    agrees(kit)
    assert counts(told(kit)) == {"firing": 1}


def test_an_inhibition_is_seen(kit: Kit) -> None:
    fires(kit, group(alert(), alert("web-2")))
    inhibited = alert("web-2").model_copy(update={"inhibited_by": ("fp-web-1",)})
    holds(kit, group(alert(), inhibited))
    poll(kit, seconds=30)
    agrees(kit)
    assert "web-2 (inhibited)" in told(kit).text


def test_a_time_interval_that_mutes_is_seen_and_what_it_mutes_from_the_start_is_no_news(kit: Kit) -> None:
    """Newer Alertmanagers tell which alerts the time intervals of their routes mute."""
    fires(kit, group(alert()))
    nightly = {"muted_by": ("nightly",)}
    other = group(alert("db").model_copy(update=nightly), labels={"alertname": "Other"}, key="g0")
    holds(kit, group(alert().model_copy(update=nightly)), other)
    poll(kit, minutes=5)
    agrees(kit)
    assert "1 muted by a time interval" in told(kit).text
    assert len(lines(kit)) == 1


def test_what_ends_under_a_silence_ends_here(kit: Kit) -> None:
    fires(kit, group(alert()))
    holds(kit, group(alert(silenced_by=("s1",))))
    poll(kit, seconds=30)
    assert counts(told(kit)) == {"silenced": 1}
    holds(kit)
    poll(kit, seconds=30)
    agrees(kit)


def test_what_fires_again_after_its_silence_was_deleted_is_seen(kit: Kit) -> None:
    fires(kit, group(alert()))
    holds(kit, group(alert(silenced_by=("s1",))))
    poll(kit, seconds=30)
    holds(kit)
    poll(kit, seconds=30)
    holds(kit, group(alert(started=kit.clock())))  # no word before the next repeat_interval
    poll(kit, seconds=30)
    agrees(kit)
    assert any("Fires again" in shown.text for shown in kit.chat.messages)


def test_what_is_muted_from_its_start_is_no_news(kit: Kit) -> None:
    fires(kit, group(alert("db"), labels={"alertname": "Other"}, key="g0"))
    muted = group(alert(silenced_by=("s1",)))
    holds(kit, group(alert("db"), labels={"alertname": "Other"}, key="g0"), muted)
    poll(kit, minutes=5)
    agrees(kit)
    assert len(lines(kit)) == 1


def test_an_end_and_a_new_start_within_one_interval_leave_it_firing(kit: Kit) -> None:
    fires(kit, group(alert()))
    again = group(alert(started=START + timedelta(seconds=20)))
    holds(kit, again)
    poll(kit, seconds=30)
    agrees(kit)
    holds(kit)
    notify(kit, group(alert(status="resolved", started=START + timedelta(seconds=20), ended=kit.clock())))
    agrees(kit)


# -- what is cut short, or begins anew ---------------------------------------------------------------


def test_alerts_that_max_alerts_left_out_are_counted(kit: Kit) -> None:
    delivered = recorded("truncated_firing.json")
    missing = [delivered.alerts[0].model_copy(update={"fingerprint": f"left-out-{n}"}) for n in range(2)]
    whole = delivered.model_copy(update={"alerts": (*delivered.alerts, *missing), "truncated": 0})
    holds(kit, whole)
    notify(kit, delivered)
    agrees(kit)
    assert counts(told(kit, delivered.key)) == {"firing": 5}
    holds(kit)
    notify(kit, recorded("truncated_resolved.json"))
    poll(kit, seconds=30)
    agrees(kit)


def test_a_restart_with_new_starts_leaves_one_message(kit: Kit) -> None:
    fires(kit, group(alert(), alert("web-2")))
    poll(kit, seconds=30)
    restarted = group(alert(started=kit.clock()), alert("web-2", started=kit.clock()))
    fires(kit, restarted)
    poll(kit, seconds=30)
    agrees(kit)
    assert len(lines(kit)) == 1


def test_a_restart_that_forgets_for_a_minute_is_followed(kit: Kit) -> None:
    fires(kit, group(alert()))
    holds(kit)
    poll(kit, seconds=30)
    agrees(kit)
    holds(kit, group(alert(started=kit.clock())))
    poll(kit, seconds=30)
    agrees(kit)
    assert len(lines(kit)) == 1


def test_a_group_that_was_told_while_alertmanager_was_away_is_looked_up_later(kit: Kit) -> None:
    kit.alerts.fail(Transient("Alertmanager is away."))
    notify(kit, group(alert()))
    assert "not confirmed" in told(kit).text
    holds(kit, group(alert(), alert("web-2")))
    poll(kit, seconds=30)
    agrees(kit)
    holds(kit)
    poll(kit, seconds=30)
    agrees(kit)


OTHER = {"alertname": "Other"}


def told_and_over_while_alertmanager_was_away(kit: Kit) -> None:
    kit.alerts.fail(Transient("Alertmanager is away."))
    notify(kit, group(alert()))
    holds(kit, group(alert("db"), labels=OTHER, key="g0"))
    poll(kit, seconds=30)


def test_what_ended_while_alertmanager_was_away_ends_here(kit: Kit) -> None:
    fires(kit, group(alert("db"), labels=OTHER, key="g0"))
    told_and_over_while_alertmanager_was_away(kit)
    agrees(kit)


@pytest.mark.parametrize("heard", [[], ["http://alertmanager.example", "http://twin.example"]])
def test_what_may_come_from_an_alertmanager_that_is_not_asked_stays(kit: Kit, heard: list[str]) -> None:
    for url in heard:
        other = group(alert("db"), labels=OTHER, key="g0").model_copy(update={"external_url": url})
        fires(kit, other)
        fires(kit, group(alert("db"), alert(url), labels=OTHER, key="g0"))
    told_and_over_while_alertmanager_was_away(kit)
    assert counts(told(kit)) == {"firing": 1}
    assert "not confirmed" in told(kit).text


def test_an_edited_route_keeps_the_message(kit: Kit) -> None:
    body = Notification.model_validate_json(recording("single_firing.json"))
    moved = body.model_copy(update={"group_key": '{}/{team="web"}:{alertname="X"}'})
    assert moved.key == body.key
    fires(kit, body.value())
    fires(kit, moved.value())
    assert len(lines(kit)) == 1
    agrees(kit)


def test_a_thousand_alerts_are_one_short_message_with_a_file(kit: Kit) -> None:
    delivered = recorded("storm_1000_alerts_one_group.json.gz")
    fires(kit, delivered)
    poll(kit, seconds=30)
    agrees(kit)
    shown = told(kit, delivered.key)
    assert "and 995 more" in shown.text
    assert len(shown.text) < 3000
    assert len(kit.chat.files) == 1


def test_five_hundred_groups_are_all_accounted_for() -> None:
    with relay_kit() as kit:
        made = [
            group(alert(f"i{n}", started=kit.clock()), labels={"alertname": f"A{n}"}, key=f"{n:03d}")
            for n in range(500)
        ]
        holds(kit, *made)
        for found in made:
            kit.event(KIND, found, subject=found.key)
        poll(kit, seconds=30)
        [summary] = [shown for shown in lines(kit) if shown.key.startswith("hold:")]
        own = [shown for shown in kit.chat.messages if shown.key.startswith("alert:")]
        assert f"{500 - len(own)} groups wait here" in summary.text
        assert len(own) == 20


def test_the_dead_mans_switch_lives_on_repeats(kit: Kit) -> None:
    delivered = recorded("watchdog.json")
    for _ in range(3):
        notify(kit, delivered)
        poll(kit, minutes=4)
    assert lines(kit) == []
    assert len(kit.records("heartbeat")) == 3
