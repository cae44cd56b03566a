"""Alert relay: one living message per group that tells the truth, and a silence that is made once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from alert_samples import LABELS, alert, group, recorded, resolved
from mitigation_samples import MITIGATION_METHODS
from pydantic import ValidationError

from bot.plugin import AlertGroup, Errand, Matcher, Permanent, Reaction, Rule, Throttled, Transient, User
from bot.testing import START, Conformance, Delivered, Kit, Shown
from bot.testing.conformance import Samples
from plugins.alert_relay import AlertRelay
from plugins.alert_relay.config import AlertRelayConfig

pytestmark = pytest.mark.unit
NOTIFICATION = "alertmanager.group"
STRIP = ["Acknowledge", "Silence 1h", "Silence for…", "More…"]


@pytest.fixture
def kit() -> Iterator[Kit]:
    with Kit(AlertRelay) as made:
        made.grant("UBOB", "alerts.silence")
        made.grant("UANN", "alerts.silence")
        yield made


def notify(kit: Kit, delivered: AlertGroup) -> Delivered:
    return kit.event(NOTIFICATION, delivered, subject=delivered.key, actor="alertmanager")


def only(kit: Kit) -> Shown:
    [shown] = channel(kit)
    return shown


def channel(kit: Kit) -> list[Shown]:
    """What stands in the channels; history is in the threads."""
    return [shown for shown in kit.chat.messages if not shown.thread]


class TestAlertRelay(Conformance):
    plugin = AlertRelay
    elsewhere = MITIGATION_METHODS  # tests/unit/test_mitigation_conformance.py

    config: ClassVar[dict[str, Any]] = {
        "ticket_project": "OPS",
        "escalate_to": "web",
        "oncall": {"web": {"users": ["UANN"]}},
        "quiet": {"start": "08:00", "end": "20:00", "below": "warning"},
    }

    def prepare(self, kit: Kit) -> None:
        kit.grant("U1", "*")
        notify(kit, group(alert("batch", severity="info"), labels={"alertname": "BatchLate"}, key="late"))
        kit.alerts.set([group(alert()), disk()])
        notify(kit, disk())
        kit.choose("More…", "ticket")
        kit.click("Silence 1h")
        kit.advance(minutes=55)
        kit.tick("reconcile")
        kit.advance(minutes=1)
        notify(kit, group(alert()))
        kit.choose("Silence for…", "custom")
        kit.submit({"scope": "group", "span": "4h", "comment": "known"})
        kit.choose("More…", "assign")
        kit.alerts.set([group(alert(), alert("web-2")), disk()])
        self.said = kit.chat.say("Rolled back.", user="UBOB", channel="#general")
        kit.shortcut("Add to incident", self.said)

    def samples(self) -> Samples:
        return {
            "a second alert": lambda kit: notify(kit, group(alert(), alert("web-2"))),
            "another group": lambda kit: notify(kit, group(alert("db"), key="g2")),
            "the heartbeat": lambda kit: notify(
                kit, group(alert(), labels={"alertname": "Watchdog"}, key="dog")
            ),
            "a press on Silence": lambda kit: kit.click("Silence 1h"),
            "a span from the menu": lambda kit: kit.choose("Silence for…", "resolved"),
            "a silence of one's own": submit_silence,
            "its confirmation": lambda kit: kit.click("Silence"),
            "a press on Unsilence": lambda kit: kit.click("Unsilence"),
            "a press on Extend": lambda kit: kit.click("Extend by 1 h"),
            "a press on Acknowledge": lambda kit: kit.click("Acknowledge"),
            "a ticket": lambda kit: kit.choose("More…", "ticket"),
            "the end of what has a ticket": end_with_ticket,
            "a ticket that nobody asked for": want_ticket,
            "the end of a wait": lambda kit: kit.event(
                "alert.release", Errand(name="alert.release", data={"key": "late"})
            ),
            "a call": lambda kit: kit.choose("More…", "escalate"),
            "another person": assign_another,
            "a message that somebody adds": lambda kit: kit.shortcut("Add to incident", self.said),
            "its incident": lambda kit: kit.submit({"incident": "INC-1"}),
            "a picture": draw,
            "a marked message": lambda kit: kit.event("slack.reaction", mark(kit)),
        }


def draw(kit: Kit) -> Delivered:
    kit.metrics.add_rule(Rule(name="HighErrorRate", expression="errors > 0.05"))
    kit.metrics.set("errors", 0.2)
    asked = Errand(name="alert-relay.graph", data={"key": "g1", "episode": 1, "status": "firing"})
    return kit.event("alert-relay.graph", asked, subject="g1")


def want_ticket(kit: Kit) -> Delivered:
    asked = Errand(name="alert.ticket-wanted", data={"key": "g1", "episode": 1, "why": "nothing helps"})
    return kit.event("alert.ticket-wanted", asked, subject="g1")


def end_with_ticket(kit: Kit) -> Delivered:
    kit.alerts.set([group(alert(), alert("web-2"))])
    over = disk().alerts[0].model_copy(update={"status": "resolved", "ends_at": kit.clock()})
    return notify(kit, group(over, labels=disk().group_labels, key="disk"))


def mark(kit: Kit) -> Reaction:
    """The reaction that puts a message into the timeline."""
    [line, *_] = [shown for shown in kit.chat.messages if not shown.thread]
    return Reaction(emoji="memo", user=User(id="U1"), channel=line.channel, ts=line.ts)


def disk() -> AlertGroup:
    """Another group, none of whose labels the first one has."""
    labels = {"alertname": "DiskFull", "service": "database"}
    full = alert("db-1").model_copy(update={"labels": {**labels, "instance": "db-1", "severity": "warning"}})
    return group(full, labels=labels, key="disk")


def assign_another(kit: Kit) -> Delivered:
    kit.chat.modals.append(kit.chat.modals[1])
    return kit.submit({"user": "UBOB"})


def submit_silence(kit: Kit) -> Delivered:
    """Send the first of the dialogs that are open."""
    kit.chat.modals.append(kit.chat.modals[0])
    return kit.submit({"scope": "picked", "labels": "service=checkout", "span": "15m", "comment": "c"})


def test_a_group_is_one_message_with_what_one_needs(kit: Kit) -> None:
    notify(kit, recorded("grouped_firing_2.json"))
    shown = only(kit)
    assert shown.channel == "#alerts"
    assert shown.message.severity == "critical"
    assert "HighErrorRate" in shown.text
    assert "2 firing" in shown.text
    assert "web-1: checkout on web-1 fails 12% of requests" in shown.text
    assert "<https://runbooks.example.com/HighErrorRate|Runbook>" in shown.text
    assert "|Dashboard>" in shown.text
    assert "|Graph>" in shown.text
    assert shown.buttons == STRIP
    assert "not confirmed by Alertmanager" in shown.text


def test_a_groups_life_is_told_in_one_message(kit: Kit) -> None:
    notify(kit, recorded("grouped_firing_2.json"))
    notify(kit, recorded("grouped_firing_3_new_alert.json"))
    assert "*New:* web-3" in only(kit).text
    assert "3 firing" in only(kit).text
    notify(kit, recorded("grouped_partial_resolved.json"))
    assert "2 firing · 1 resolved" in only(kit).text
    assert "*Ended:* web-1" in only(kit).text
    notify(kit, recorded("grouped_resolved.json"))
    shown = only(kit)
    assert "resolved after" in shown.text
    assert shown.message.severity == "good"
    assert shown.buttons == []
    assert [len(kit.records(kind)) for kind in ("fired", "resolved")] == [1, 1]


def test_on_resolve_it_says_how_long_it_took(kit: Kit) -> None:
    notify(kit, group(alert()))
    notify(kit, group(resolved()))
    assert "resolved after 12 min" in only(kit).text
    assert only(kit).message.text == "Resolved: HighErrorRate · checkout, after 12 min"


@pytest.mark.parametrize(
    ("after", "said"),
    [(timedelta(seconds=20), "less than a minute"), (timedelta(hours=5, minutes=3), "5 h 3 min")],
)
def test_durations_are_words(kit: Kit, after: timedelta, said: str) -> None:
    notify(kit, group(alert()))
    notify(kit, group(resolved(after=after)))
    assert said in only(kit).text


def test_a_late_delivery_overwrites_nothing(kit: Kit) -> None:
    first, third = recorded("grouped_firing_2.json"), recorded("grouped_firing_3_new_alert.json")
    end = recorded("grouped_resolved.json")
    for delivered in (first, third, end):
        notify(kit, delivered)
    before = only(kit)
    for late in (third, first, recorded("grouped_partial_resolved.json")):
        notify(kit, late)
    assert only(kit) == before


def test_deliveries_in_the_wrong_order_end_in_the_right_state(kit: Kit) -> None:
    notify(kit, recorded("grouped_resolved.json"))
    notify(kit, recorded("grouped_firing_2.json"))
    assert only(kit).message.severity == "good"
    assert "resolved" in only(kit).text


def test_an_alert_that_starts_anew_is_news_even_after_a_later_end(kit: Kit) -> None:
    """B started before A's end was noticed: by time alone its delivery would look late."""
    notify(kit, group(alert("a")))
    notify(kit, group(resolved("a", after=timedelta(minutes=9))))
    notify(kit, group(alert("b", started=START)))
    assert "firing" in only(kit).text
    assert only(kit).buttons == STRIP


def test_alertmanagers_present_state_beats_the_notification(kit: Kit) -> None:
    kit.alerts.set([group(alert("web-2", silenced_by=("s1",)), alert("web-3"))])
    notify(kit, group(alert("web-1"), alert("web-2")))
    text = only(kit).text
    assert "1 firing · 1 silenced · 1 resolved" in text
    assert "Alertmanager's present state" in text
    assert "web-2 (silenced)" in text


def test_alertmanager_out_of_reach_delays_nothing_and_is_said(kit: Kit) -> None:
    kit.alerts.fail(Transient("Alertmanager does not answer."), times=9)
    assert notify(kit, group(alert())).status == "done"
    assert "not confirmed by Alertmanager" in only(kit).text


def test_a_repeated_notification_changes_nothing(kit: Kit) -> None:
    notify(kit, group(alert()))
    notify(kit, group(alert()))
    assert only(kit).updates == 0


def test_a_repetition_that_alertmanager_confirms_changes_nothing_either(kit: Kit) -> None:
    kit.alerts.set([group(alert())])
    notify(kit, group(alert()))
    notify(kit, group(alert()))
    assert only(kit).updates == 0


def test_a_thousand_alerts_are_five_and_a_number(kit: Kit) -> None:
    storm = recorded("storm_1000_alerts_one_group.json.gz")
    notify(kit, storm)
    text = only(kit).text
    assert "and 995 more" in text
    assert len(text) < 3000
    notify(kit, storm.model_copy(update={"alerts": storm.alerts[:400]}))
    assert len(only(kit).text) < 3000


def test_a_truncated_group_says_what_is_missing(kit: Kit) -> None:
    notify(kit, recorded("truncated_firing.json"))
    assert "and 2 more" in only(kit).text
    assert "2 alerts were left out" in only(kit).text
    notify(kit, recorded("truncated_resolved.json"))
    assert only(kit).message.severity == "good"


def test_hostile_labels_stay_text(kit: Kit) -> None:
    evil = "<!channel> <@U1> *bold* {0} {x} `code` <https://evil.example|Runbook>"
    nasty = alert(evil, summary=evil, description=evil, runbook_url="javascript:alert(1)")
    notify(kit, group(nasty, alert("x"), labels={"alertname": evil, "service": evil}))
    text = only(kit).text
    assert "<!channel>" not in text
    assert "<@U1>" not in text
    assert "<https://evil" not in text
    assert "javascript:" not in text
    kit.grant("U1", "alerts.silence")
    kit.click("Silence 1h", user="U1")
    [silence] = kit.alerts.silences()
    assert silence.matchers[0] == Matcher(name="alertname", value=evil)


def test_very_long_annotations_are_cut(kit: Kit) -> None:
    notify(kit, group(alert(summary="x" * 100_000, description="y" * 100_000)))
    assert len(only(kit).text) < 3000


@pytest.mark.parametrize(
    ("severity", "colour"), [("critical", "critical"), ("warning", "warning"), ("info", "info"), ("", "info")]
)
def test_the_colour_is_the_severity(kit: Kit, severity: str, colour: str) -> None:
    notify(kit, group(alert(severity=severity)))
    assert only(kit).message.severity == colour


def test_routes_choose_the_channel_first_match_wins() -> None:
    config = {
        "routes": [
            {"channel": "#payments", "match": {"service": "checkout"}, "match_re": {"severity": "crit.*"}},
            {"channel": "#checkout", "match": {"service": "checkout"}},
        ]
    }
    with Kit(AlertRelay, config=config) as kit:
        notify(kit, group(alert()))
        notify(kit, group(alert("w", severity="warning"), key="g2"))
        notify(kit, group(alert(), labels={"service": "other"}, key="g3"))
        assert [shown.channel for shown in kit.chat.messages] == ["#payments", "#checkout", "#alerts"]


def test_a_faulty_route_is_refused_with_an_example() -> None:
    with pytest.raises(ValidationError, match="not a regular expression"):
        AlertRelayConfig.model_validate({"routes": [{"channel": "#x", "match_re": {"a": "("}}]})


def test_the_heartbeat_is_noted_and_not_posted(kit: Kit) -> None:
    notify(kit, recorded("watchdog.json"))
    assert kit.chat.messages == []
    assert len(kit.records("heartbeat")) == 1


# -- silence ---------------------------------------------------------------------------------------


def test_silence_makes_one_for_this_group_and_says_who(kit: Kit) -> None:
    notify(kit, group(alert()))
    kit.click("Silence 1h", user="UBOB")
    [silence] = kit.alerts.silences()
    assert silence.matchers == tuple(Matcher(name=n, value=v) for n, v in sorted(LABELS.items()))
    assert silence.ends_at == START + timedelta(hours=1)
    assert silence.created_by == "slack:UBOB"
    assert ":mute: Silenced until 10:00 UTC by <@UBOB>" in only(kit).text
    assert only(kit).buttons == ["Acknowledge", "Unsilence", "More…"]
    [row] = [row for row in kit.audit if row.action == "alerts.silence"]
    assert (row.actor, row.outcome) == ("UBOB", "done")


def test_silence_needs_the_permission(kit: Kit) -> None:
    notify(kit, group(alert()))
    assert kit.click("Silence 1h", user="UEVE").refused
    assert kit.alerts.silences() == ()
    assert "alerts.silence" in kit.reply.text
    assert only(kit).buttons == STRIP


def test_of_two_people_the_second_is_told(kit: Kit) -> None:
    notify(kit, group(alert()))
    screen = only(kit).message
    kit.click("Silence 1h", user="UBOB")
    kit.click("Silence 1h", user="UANN", message=screen)
    assert len(kit.alerts.silences()) == 1
    assert kit.reply.user == "UANN"
    assert "already taken by <@UBOB>" in kit.reply.text


def test_the_next_notification_keeps_who_silenced(kit: Kit) -> None:
    notify(kit, group(alert()))
    kit.click("Silence 1h", user="UBOB")
    notify(kit, group(alert(), alert("web-2")))
    assert "Silenced until 10:00 UTC by <@UBOB>" in only(kit).text
    assert only(kit).buttons == ["Acknowledge", "Unsilence", "More…"]


def test_alertmanager_down_delays_the_silence(kit: Kit) -> None:
    notify(kit, group(alert()))
    kit.alerts.fail(Transient("Alertmanager does not answer."), times=3, on="silence")
    click = kit.click("Silence 1h", user="UBOB")
    assert click.status == "pending"
    assert "*Silence 1h* is running, asked by <@UBOB>" in only(kit).text
    kit.settle(timedelta(minutes=30))
    assert len(kit.alerts.silences()) == 1
    assert "Silenced until" in only(kit).text


@pytest.mark.parametrize("error", [Transient("cut off"), Throttled("slow down", retry_after=3)])
def test_a_silence_that_was_cut_off_is_found_and_not_doubled(kit: Kit, error: Exception) -> None:
    notify(kit, group(alert()))
    kit.alerts.fail(error, on="silence", after=not isinstance(error, Throttled))
    kit.click("Silence 1h", user="UBOB")
    kit.settle(timedelta(minutes=30))
    assert len(kit.alerts.silences()) == 1


def test_a_final_failure_opens_the_button_again(kit: Kit) -> None:
    notify(kit, group(alert()))
    kit.alerts.fail(Permanent("Alertmanager refused the silence."), on="silence")
    kit.click("Silence 1h", user="UBOB")
    assert "did not work" in kit.reply.text
    assert only(kit).buttons == STRIP
    kit.click("Silence 1h", user="UBOB")
    assert len(kit.alerts.silences()) == 1


def test_what_is_resolved_is_not_silenced(kit: Kit) -> None:
    notify(kit, group(alert()))
    stale = only(kit).message
    notify(kit, group(resolved()))
    assert kit.click("Silence 1h", user="UBOB", message=stale).refused
    assert "resolved" in kit.reply.text


def test_a_group_without_labels_is_too_broad_to_silence(kit: Kit) -> None:
    notify(kit, group(alert(), labels={}))
    assert kit.click("Silence 1h", user="UBOB").refused
    assert "mute every alert" in kit.reply.text


def test_after_a_silence_ran_out_there_is_a_button_again(kit: Kit) -> None:
    kit.alerts.set([group(alert())])
    notify(kit, group(alert()))
    kit.click("Silence 1h", user="UBOB")
    kit.advance(minutes=61)
    kit.tick("reconcile")
    assert only(kit).buttons == STRIP
    assert "Silenced until" not in only(kit).text
    kit.click("Silence 1h", user="UANN")
    assert len(kit.alerts.silences()) == 2


# -- what no webhook tells ---------------------------------------------------------------------------


def test_the_end_of_a_silenced_group_is_noticed_without_a_webhook(kit: Kit) -> None:
    kit.alerts.set([group(alert())])
    notify(kit, group(alert()))
    kit.click("Silence 1h", user="UBOB")
    kit.alerts.set([])
    kit.advance(minutes=3)
    kit.tick("reconcile")
    assert only(kit).message.severity == "good"
    assert "no longer lists" in only(kit).text
    assert len(kit.records("resolved")) == 1


def test_a_silence_made_elsewhere_appears(kit: Kit) -> None:
    kit.alerts.set([group(alert())])
    notify(kit, group(alert()))
    kit.alerts.set([group(alert(silenced_by=("s9",)))])
    kit.tick("reconcile")
    assert "1 silenced" in only(kit).text
    assert only(kit).message.severity == "info"


def test_reconciling_what_agrees_changes_nothing(kit: Kit) -> None:
    kit.alerts.set([group(alert())])
    notify(kit, group(alert()))
    kit.tick("reconcile")
    kit.advance(minutes=1)
    kit.tick("reconcile")
    assert only(kit).updates == 0


def test_a_group_that_alertmanager_never_listed_is_left_alone(kit: Kit) -> None:
    notify(kit, group(alert()))
    kit.tick("reconcile")
    assert "1 firing" in only(kit).text
    assert only(kit).updates == 0


def test_fired_again_soon_reopens_the_message_and_later_makes_a_new_one(kit: Kit) -> None:
    notify(kit, group(alert()))
    notify(kit, group(resolved()))
    kit.clock.set(START + timedelta(minutes=20))
    notify(kit, group(alert(started=START + timedelta(minutes=19))))
    assert only(kit).buttons == STRIP
    end = alert(status="resolved", started=START + timedelta(minutes=19), ended=START + timedelta(minutes=25))
    notify(kit, group(end))
    kit.clock.set(START + timedelta(hours=2))
    notify(kit, group(alert(started=START + timedelta(hours=2))))
    first, second = channel(kit)
    assert first.message.severity == "good"
    assert second.buttons == STRIP


def test_health_is_alertmanagers(kit: Kit) -> None:
    assert kit.health().status == "ok"
    kit.alerts.fail(Transient("Alertmanager does not answer."))
    assert kit.health().status == "down"
