"""What people can do about an alert group, and what the clock does about it."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from alert_samples import alert, group, recorded, resolved
from pydantic import ValidationError

from bot.plugin import AlertGroup, Matcher, Permanent, Silence, Transient
from bot.testing import START, Delivered, Kit, Shown
from plugins.alert_relay import AlertRelay, silencing
from plugins.alert_relay.config import AlertRelayConfig

pytestmark = pytest.mark.unit
CONFIG: dict[str, Any] = {
    "ticket_project": "OPS",
    "escalate_minutes": 10,
    "max_escalations": 2,
    "escalate_to": "web",
    "oncall": {"web": {"users": ["UANN", "UBOB"], "start": START, "shift_hours": 24}},
}


@pytest.fixture
def kit() -> Iterator[Kit]:
    with Kit(AlertRelay, config=CONFIG) as made:
        made.grant("UBOB", "alerts.*")
        made.grant("UANN", "alerts.*")
        yield made


def fire(kit: Kit, *alerts: Any, key: str = "g1") -> None:
    live = group(*(alerts or (alert(),)), key=key)
    kit.alerts.set([live])
    notify(kit, live)


def notify(kit: Kit, delivered: AlertGroup) -> Delivered:
    return kit.event("alertmanager.group", delivered, subject=delivered.key)


def message(kit: Kit) -> Shown:
    return next(shown for shown in kit.chat.messages if not shown.thread)


def thread(kit: Kit) -> list[str]:
    return [shown.text for shown in kit.chat.messages if shown.thread == message(kit).ts]


def later(kit: Kit, **span: float) -> None:
    kit.advance(**span)
    kit.tick("reconcile")


def elsewhere(**changed: Any) -> Silence:
    made = Silence(
        id="s9",
        matchers=(Matcher(name="service", value="checkout"),),
        starts_at=START,
        ends_at=START + timedelta(hours=2),
        created_by="dora",
        comment="planned work",
    )
    return made.model_copy(update=changed)


# -- the truth ---------------------------------------------------------------------------------------


def test_a_silence_made_elsewhere_shows_who_until_and_why(kit: Kit) -> None:
    fire(kit)
    kit.alerts.put(elsewhere())
    later(kit, seconds=30)
    assert ":mute: Silenced until 11:00 UTC by dora: planned work" in message(kit).text
    assert message(kit).buttons == ["Acknowledge", "Unsilence", "More…"]
    assert thread(kit) == [":mute: Silenced until Mon 02 Mar 11:00 UTC by dora: planned work"]


def test_a_silence_changed_and_ended_elsewhere_follows(kit: Kit) -> None:
    fire(kit)
    kit.alerts.put(elsewhere())
    later(kit, seconds=30)
    kit.alerts.put(elsewhere(ends_at=START + timedelta(hours=3)))
    later(kit, seconds=30)
    assert "Silenced until 12:00 UTC by dora" in message(kit).text
    kit.alerts.put(elsewhere(state="expired", ends_at=START))
    later(kit, seconds=30)
    assert "Silenced until" not in message(kit).text
    assert "Silence 1h" in message(kit).buttons
    assert thread(kit)[1:] == [
        ":mute: Silence changed: now until Mon 02 Mar 12:00 UTC by dora: planned work",
        ":loud_sound: The silence ended",
    ]


def test_a_silence_of_some_alerts_leaves_the_group_loud(kit: Kit) -> None:
    fire(kit, alert(), alert("web-2"))
    kit.alerts.put(elsewhere(matchers=(Matcher(name="instance", value="web-2"),)))
    later(kit, seconds=30)
    assert "1 firing · 1 silenced" in message(kit).text
    assert message(kit).message.severity == "critical"
    assert {"Silence 1h", "Unsilence"} <= set(message(kit).buttons)


def test_hostile_silences_stay_text(kit: Kit) -> None:
    fire(kit)
    kit.alerts.put(elsewhere(created_by="slack:<!channel>", comment="<@U1> *x* {0}"))
    later(kit, seconds=30)
    for text in (message(kit).text, *thread(kit)):
        assert "<!channel>" not in text
        assert "<@U1>" not in text


def test_unsilence_ends_it_in_alertmanager(kit: Kit) -> None:
    fire(kit)
    kit.click("Silence 1h", user="UBOB")
    kit.click("Unsilence", user="UANN")
    assert [s.state for s in kit.alerts.silences()] == ["expired"]
    assert "Silence 1h" in message(kit).buttons
    assert thread(kit)[-1] == ":loud_sound: Unsilenced by <@UANN>"
    kit.click("Silence 1h", user="UBOB")
    assert [s.state for s in kit.alerts.silences()] == ["expired", "active"]


# -- acknowledge, assign -----------------------------------------------------------------------------


def test_acknowledge_says_who_and_silences_nothing(kit: Kit) -> None:
    fire(kit)
    kit.click("Acknowledge", user="UBOB")
    assert ":eyes: <@UBOB> is on it since 09:00 UTC" in message(kit).text
    assert "Acknowledge" not in message(kit).buttons
    assert kit.alerts.silences() == ()
    assert thread(kit) == [":eyes: Acknowledged by <@UBOB>"]
    [row] = [row for row in kit.audit if row.action == "alerts.ack"]
    assert row.actor == "UBOB"


def test_of_two_who_acknowledge_the_second_hears_of_the_first_and_may_take_over(kit: Kit) -> None:
    fire(kit)
    screen = message(kit).message
    kit.click("Acknowledge", user="UBOB")
    kit.click("Acknowledge", user="UANN", message=screen)
    assert "<@UBOB> is on it already" in kit.reply.text
    kit.choose("More…", "me", user="UANN")
    assert "<@UANN> is on it" in message(kit).text
    assert thread(kit)[-1] == ":eyes: Acknowledged by <@UANN>"


def test_a_replayed_click_does_nothing_twice(kit: Kit) -> None:
    fire(kit)
    click = kit.click("Acknowledge", user="UBOB")
    kit.rerun(click)
    assert len(thread(kit)) == 1
    assert len(kit.records("ack")) == 1


def test_assigning_asks_the_person_in_the_thread(kit: Kit) -> None:
    fire(kit)
    kit.choose("More…", "assign", user="UANN")
    kit.submit({"user": "UBOB"}, user="UANN")
    assert "Assigned to <@UBOB>" in message(kit).text
    assert "Acknowledge" in message(kit).buttons
    assert thread(kit) == [":bust_in_silhouette: <@UANN> asks <@UBOB> to take this"]


def test_a_button_on_a_group_that_is_over_says_so(kit: Kit) -> None:
    fire(kit)
    screen = message(kit).message
    kit.alerts.set([])
    notify(kit, group(resolved()))
    for label in ("Acknowledge", "Silence 1h"):
        assert kit.click(label, user="UBOB", message=screen).refused
        assert "is resolved since" in kit.reply.text


@pytest.mark.parametrize("label", ["Acknowledge", "Silence 1h", "Unsilence"])
def test_without_the_permission_nothing_happens(kit: Kit, label: str) -> None:
    fire(kit)
    if label == "Unsilence":
        kit.click("Silence 1h", user="UBOB")
    before = message(kit).text
    assert kit.click(label, user="UEVE").refused
    assert "You may not" in kit.reply.text
    assert message(kit).text == before


# -- silences of one's own ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "end"),
    [("15m", timedelta(minutes=15)), ("4h", timedelta(hours=4)), ("morning", timedelta(hours=23))],
)
def test_the_menu_silences_for_a_span(kit: Kit, choice: str, end: timedelta) -> None:
    fire(kit)
    kit.choose("Silence for…", choice, user="UBOB")
    [silence] = kit.alerts.silences()
    assert silence.ends_at == START + end


def test_until_resolved_ends_with_the_group(kit: Kit) -> None:
    fire(kit)
    kit.choose("Silence for…", "resolved", user="UBOB")
    assert "(or until it is resolved)" in message(kit).text
    kit.alerts.set([])
    later(kit, minutes=3)
    assert message(kit).message.severity == "good"
    assert [s.state for s in kit.alerts.silences()] == ["expired"]


def test_until_resolved_ends_also_when_a_notification_tells_the_end(kit: Kit) -> None:
    fire(kit)
    kit.choose("Silence for…", "resolved", user="UBOB")
    kit.alerts.set([])
    notify(kit, group(resolved()))
    later(kit, minutes=1)
    assert [s.state for s in kit.alerts.silences()] == ["expired"]


def custom(kit: Kit, **values: Any) -> None:
    kit.choose("Silence for…", "custom", user="UBOB")
    given = {"scope": "group", "labels": "", "span": "4h", "comment": "known", **values}
    kit.submit(given, user="UBOB")


def test_a_silence_of_ones_own_is_previewed_then_made(kit: Kit) -> None:
    other = group(alert("db"), labels={"alertname": "Other"}, key="g2")
    fire(kit)
    kit.alerts.set([group(alert(), alert("web-2")), other])
    custom(kit, scope="picked", labels="service=checkout\ninstance=~web-.*")
    assert "would mute *2 alerts of 1 service*" in kit.reply.text
    assert kit.alerts.silences() == ()
    kit.click("Silence", user="UBOB")
    [silence] = kit.alerts.silences()
    assert silence.matchers[1] == Matcher(name="instance", value="web-.*", is_regex=True)
    assert silence.comment.startswith("known")
    assert "Silenced until" in message(kit).text


def test_one_alert_can_be_silenced_alone(kit: Kit) -> None:
    fire(kit, alert(), alert("web-2"))
    custom(kit, scope="fp-web-2")
    kit.click("Silence", user="UBOB")
    assert "1 firing · 1 silenced" in message(kit).text


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ("", "mute every alert"),
        ("instance=~.*", "mute every alert"),
        ("instance=~(", "not a regular expression"),
        ("nonsense", "not a condition"),
        ("severity=critical", "outside this group"),
    ],
)
def test_a_silence_that_is_faulty_or_too_broad_is_refused(kit: Kit, labels: str, why: str) -> None:
    fire(kit)
    many = group(*(alert(f"db-{n}") for n in range(60)), labels={"alertname": "Other"}, key="g2")
    kit.alerts.set([group(alert()), many])
    custom(kit, scope="picked", labels=labels)
    assert why in kit.reply.text
    assert "othing was silenced" in kit.reply.text
    assert kit.alerts.silences() == ()


def test_a_confirmation_expires(kit: Kit) -> None:
    fire(kit)
    custom(kit)
    kit.advance(minutes=11)
    assert kit.click("Silence", user="UBOB").refused
    assert "expired" in kit.reply.text


def test_without_alertmanager_there_is_no_preview(kit: Kit) -> None:
    fire(kit)
    kit.alerts.fail(Transient("Alertmanager does not answer."), times=9)
    custom(kit)
    assert "Alertmanager does not answer." in kit.reply.text
    assert "nothing was silenced" in kit.reply.text


def test_while_alertmanager_is_away_a_silence_is_queued_and_the_person_told(kit: Kit) -> None:
    fire(kit)
    kit.alerts.fail(Transient("Alertmanager does not answer."), times=3, on="silence")
    kit.choose("Silence for…", "4h", user="UBOB")
    assert "is kept and is tried again" in kit.reply.text
    assert ":hourglass_flowing_sand: Silence for 4h, asked by <@UBOB>" in message(kit).text
    kit.choose("Silence for…", "1h", user="UANN")
    assert "being done already" in kit.reply.text
    kit.settle(timedelta(minutes=30))
    assert len(kit.alerts.silences()) == 1
    assert "hourglass" not in message(kit).text


def test_the_maker_is_reminded_and_can_extend(kit: Kit) -> None:
    fire(kit)
    kit.click("Silence 1h", user="UBOB")
    later(kit, minutes=51)
    later(kit, minutes=1)
    warnings = [text for text in thread(kit) if "<@UBOB> your silence ends at 10:00 UTC" in text]
    assert len(warnings) == 1
    kit.click("Extend by 1 h", user="UBOB")
    assert "Silenced until 11:00 UTC by <@UBOB>" in message(kit).text
    later(kit, minutes=9)
    assert "Silenced until 11:00 UTC" in message(kit).text


# -- escalation --------------------------------------------------------------------------------------


def test_nobody_acknowledges_and_the_one_on_call_is_called_until_the_last_time(kit: Kit) -> None:
    fire(kit)
    later(kit, minutes=9)
    assert thread(kit) == []
    for _ in range(4):
        later(kit, minutes=10)
    assert (
        thread(kit)
        == [":rotating_light: <@UANN>: *HighErrorRate · checkout* still fires, nobody has acknowledged it"]
        * 2
    )


@pytest.mark.parametrize("label", ["Acknowledge", "Silence 1h"])
def test_what_is_taken_or_silenced_calls_nobody(kit: Kit, label: str) -> None:
    fire(kit)
    kit.click(label, user="UBOB")
    later(kit, minutes=11)
    assert not [text for text in thread(kit) if "rotating_light" in text]


def test_escalation_goes_on_while_alertmanager_is_away(kit: Kit) -> None:
    fire(kit)
    kit.alerts.fail(Transient("Alertmanager does not answer."), times=99)
    later(kit, minutes=11)
    assert len([text for text in thread(kit) if "rotating_light" in text]) == 1


def test_people_on_call_take_turns(kit: Kit) -> None:
    entry = AlertRelayConfig.model_validate(CONFIG).oncall["web"]
    found = [entry.now(START + timedelta(hours=hours)) for hours in (0, 23, 24, 48)]
    assert found == ["UANN", "UANN", "UBOB", "UANN"]


def test_somebody_can_be_called_at_once(kit: Kit) -> None:
    fire(kit)
    kit.choose("More…", "escalate", user="UBOB")
    assert thread(kit) == [
        ":rotating_light: <@UANN>: *HighErrorRate · checkout* still fires, asked by <@UBOB>"
    ]


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"escalate_to": "nobody"}, "no on-call entry 'nobody'"),
        ({"oncall": {"x": {}}}, "names a group or users"),
        ({"zone": "Mars"}, "IANA"),
    ],
)
def test_a_faulty_setting_says_what_it_wants(config: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        AlertRelayConfig.model_validate(config)


# -- tickets and history -----------------------------------------------------------------------------


def test_a_ticket_is_made_once_and_linked(kit: Kit) -> None:
    fire(kit)
    screen = message(kit)
    kit.choose("More…", "ticket", user="UBOB")
    ticket = kit.tickets.get("OPS-1")
    assert ticket.summary == "HighErrorRate · checkout"
    assert "Alertmanager: http://alertmanager.example" in ticket.description
    assert f"|{ticket.key}>" in message(kit).text
    assert thread(kit)[-1].startswith(":ticket: <@UBOB> created <")
    assert screen.key == message(kit).key
    kit.choose("More…", "ticket", user="UANN")
    assert "There is a ticket already: OPS-1" in kit.reply.text
    assert sum(effect.method == "create" for effect in kit.tickets.effects) == 1


def test_ticket_and_message_lead_to_each_other(kit: Kit) -> None:
    fire(kit)
    kit.choose("More…", "ticket", user="UBOB")
    url = f"https://chat.example/{message(kit).ts}"
    assert f"Message: {url}" in kit.tickets.get("OPS-1").description
    assert kit.tickets.links("OPS-1") == {url: "Slack: HighErrorRate · checkout"}


def test_a_helpdesk_that_links_nothing_gets_a_comment(kit: Kit) -> None:
    fire(kit)
    kit.tickets.fail(Permanent("The account may not link issues."), on="link")
    kit.choose("More…", "ticket", user="UBOB")
    [said] = kit.tickets.comments("OPS-1")
    assert said.startswith("The alert's message: https://chat.example/")


def test_a_ticket_hears_of_the_end_and_of_a_new_beginning(kit: Kit) -> None:
    fire(kit)
    kit.choose("More…", "ticket", user="UBOB")
    kit.tickets.fail(Transient("Jira is away."), on="comment")
    kit.alerts.set([])
    notify(kit, group(resolved()))
    assert "resolved after 12 min" in message(kit).text
    kit.settle()
    notify(kit, group(alert(started=START + timedelta(minutes=15))))
    assert kit.tickets.comments("OPS-1") == [
        "The alert group HighErrorRate · checkout is resolved since 2026-03-02 09:10 UTC, after 12 min.",
        "The alert group HighErrorRate · checkout fires again.",
    ]


def test_a_large_group_is_a_file_in_the_thread_once(kit: Kit) -> None:
    storm = recorded("storm_1000_alerts_one_group.json.gz")
    notify(kit, storm)
    notify(kit, storm.model_copy(update={"alerts": storm.alerts[:400]}))
    [file] = kit.chat.files
    rows = list(csv.reader(file.content.decode().splitlines()))
    assert len(rows) == 1001
    assert file.thread == message(kit).ts


def test_formulas_in_labels_stay_text(kit: Kit) -> None:
    notify(kit, group(*(alert(f"=cmd{n}", summary="=1+1") for n in range(30))))
    [file] = kit.chat.files
    assert b",=" not in file.content


def test_a_groups_history_is_in_its_thread(kit: Kit) -> None:
    fire(kit)
    fire(kit, alert(), alert("web-2"))
    fire(kit, alert("web-2"))
    notify(kit, group(resolved("web-2")))
    kit.alerts.set([])
    notify(kit, group(resolved("web-2")))
    assert thread(kit)[:2] == [":heavy_plus_sign: New, 1: web-2", ":heavy_minus_sign: Ended, 1: web-1"]
    assert thread(kit)[-1].startswith(":large_green_circle: Resolved after")


def test_flapping_is_marked_and_told_no_more(kit: Kit) -> None:
    for number in range(6):
        start = START + timedelta(minutes=2 * number)
        kit.clock.set(start)
        notify(kit, group(alert(started=start)))
        end = start + timedelta(minutes=1)
        kit.clock.set(end)
        notify(kit, group(alert(status="resolved", started=start, ended=end)))
    notify(kit, group(alert(started=START + timedelta(minutes=20))))
    assert "flapping" in message(kit).text
    assert len([text for text in thread(kit) if "Fires again" in text]) == 2


# -- heartbeat ---------------------------------------------------------------------------------------


def test_a_heartbeat_that_stays_away_is_reported_once_and_its_return_too() -> None:
    with Kit(AlertRelay, config={"heartbeat_minutes": 10}) as kit:
        notify(kit, recorded("watchdog.json"))
        later(kit, minutes=9)
        assert kit.chat.messages == []
        later(kit, minutes=2)
        later(kit, minutes=2)
        [lost] = kit.chat.messages
        assert "for 11 min: its alerts may not arrive" in lost.text
        assert lost.message.severity == "critical"
        notify(kit, recorded("watchdog.json"))
        [back] = kit.chat.messages
        assert "is back" in back.text


def test_each_of_several_heartbeats_is_missed_by_itself() -> None:
    """One group, one Alertmanager, two Prometheus: what the other one says is no sign of life."""
    with Kit(AlertRelay, config={"heartbeat_minutes": 10}) as kit:
        delivered = recorded("watchdog.json")
        one, other = (
            delivered.alerts[0].model_copy(
                update={"fingerprint": site, "labels": {"alertname": "Watchdog", "site": site}}
            )
            for site in ("berlin", "oslo")
        )
        notify(kit, delivered.model_copy(update={"alerts": (one, other)}))
        later(kit, minutes=9)
        gone = other.model_copy(update={"status": "resolved"})
        notify(kit, delivered.model_copy(update={"alerts": (one, gone)}))
        later(kit, minutes=2)
        [lost] = kit.chat.messages
        assert "(site=oslo) for 11 min" in lost.text


def test_without_a_heartbeat_setting_nothing_is_reported(kit: Kit) -> None:
    notify(kit, recorded("watchdog.json"))
    later(kit, hours=9)
    assert kit.chat.messages == []


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-24T22:00+00:00", "2026-11-25T07:00+00:00"),
        ("2026-11-24T05:00+00:00", "2026-11-24T07:00+00:00"),
        ("2026-11-24T07:00+00:00", "2026-11-25T07:00+00:00"),
        ("2026-03-28T22:00+00:00", "2026-03-29T06:00+00:00"),  # the clocks go forward that night
    ],
)
def test_a_silence_until_morning_ends_at_the_next_morning_of_the_place(now: str, end: str) -> None:
    found = silencing.ends_at(
        "morning", datetime.fromisoformat(now), morning=time(8), zone="Europe/Berlin", resolved=timedelta(0)
    )
    assert found == datetime.fromisoformat(end)
