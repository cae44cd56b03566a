"""Incidents: one line in the channel, all groups under it, a timeline, a post-mortem."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from alert_kit import fires, lines, notify, one, poll, relay_kit, titled, under
from hypothesis import given
from hypothesis import strategies as st

from bot.core.memory import Records
from bot.plugin import Reaction, Transient, User
from bot.testing import Kit
from plugins.alert_relay.incidents import postmortem

pytestmark = pytest.mark.unit


@pytest.fixture
def kit() -> Iterator[Kit]:
    with relay_kit() as made:
        yield made


def incident(kit: Kit, text: str = "", user: str = "UANN") -> str:
    kit.command(f"/signalbox incident {text}", user=user)
    return kit.reply.text


def test_the_channel_sees_one_line_an_incident(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    fires(kit, "SlowCheckout", severity="warning")
    fires(kit, "QueueGrows", severity="warning")
    [line] = lines(kit)
    assert "*INC-1* · 3 of 3 groups fire" in line.text
    assert "SlowCheckout" in line.text
    living = [shown for shown in under(kit, line) if shown.key.startswith("alert:")]
    assert ["SlowCheckout" in shown.text for shown in living] == [True, False]
    assert all("Acknowledge" in shown.buttons for shown in living)


def test_a_group_of_another_service_is_another_incident(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    fires(kit, "DiskFull", service="database")
    assert len(lines(kit)) == 2
    assert "INC-2" in titled(kit, "DiskFull").text


def test_a_group_that_is_worse_than_the_line_gets_a_line_of_its_own(kit: Kit) -> None:
    fires(kit, "SlowCheckout", severity="warning")
    fires(kit, "HighErrorRate", severity="critical")
    assert [shown.message.severity for shown in lines(kit)] == ["warning", "critical"]
    assert "2 of 2 groups fire" in titled(kit, "HighErrorRate").text
    assert "groups fire" not in titled(kit, "SlowCheckout").text
    fires(kit, "QueueGrows", severity="warning")
    assert under(kit, lines(kit)[1])[-1].text.count("QueueGrows") > 0


def test_the_line_keeps_the_colour_of_what_still_fires(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    fires(kit, "SlowCheckout", severity="warning")
    kit.clock.advance(timedelta(minutes=5))
    fires(kit, "HighErrorRate", started=kit.clock() - timedelta(minutes=5), ended=kit.clock())
    [line] = lines(kit)
    assert "resolved after 5 min" in line.text
    assert "1 of 2 groups fire" in line.text
    assert line.message.severity == "warning"
    fires(kit, "SlowCheckout", started=kit.clock() - timedelta(minutes=5), ended=kit.clock())
    assert lines(kit)[0].message.severity == "good"
    assert "Open incidents: none" in incident(kit)


def test_without_the_shared_label_each_group_is_its_own_incident() -> None:
    with relay_kit(incident_labels=["team"]) as kit:
        fires(kit, "HighErrorRate")
        fires(kit, "SlowCheckout")
        assert len(lines(kit)) == 2
        fires(kit, "A", team="web")
        fires(kit, "B", team="web", service="other")
        assert len(lines(kit)) == 3


def test_an_incident_that_is_long_over_takes_no_more_groups(kit: Kit) -> None:
    started = kit.clock()
    fires(kit, "HighErrorRate")
    kit.clock.advance(timedelta(minutes=5))
    fires(kit, "HighErrorRate", started=started, ended=kit.clock())
    kit.clock.advance(timedelta(minutes=20))
    slow = kit.clock()
    fires(kit, "SlowCheckout", severity="warning")
    assert "INC-1" in titled(kit, "SlowCheckout").text
    kit.clock.advance(timedelta(minutes=5))
    fires(kit, "SlowCheckout", severity="warning", started=slow, ended=kit.clock())
    kit.clock.advance(timedelta(minutes=31))
    fires(kit, "QueueGrows")
    assert "INC-2" in titled(kit, "QueueGrows").text


def test_an_incident_does_not_grow_for_ever(kit: Kit) -> None:
    fires(kit, "CertificateExpires", severity="warning")
    kit.clock.advance(timedelta(hours=25))
    fires(kit, "SlowCheckout", severity="warning")
    assert "INC-2" in titled(kit, "SlowCheckout").text


def test_whoever_comes_while_the_line_is_being_posted_waits_for_it(kit: Kit) -> None:
    kit.chat.fail(Transient("Slack is away."), on="upsert", times=3)
    made = [one(name) for name in ("HighErrorRate", "SlowCheckout")]
    kit.alerts.set(made)
    for group in made:
        notify(kit, group)
    kit.settle()
    [line] = lines(kit)
    assert "2 of 2 groups fire" in line.text
    assert len([s for s in under(kit, line) if s.key.startswith("alert:")]) == 1


def test_the_story_tells_what_people_did(kit: Kit) -> None:
    started = kit.clock()
    fires(kit, "HighErrorRate")
    kit.clock.advance(timedelta(minutes=2))
    kit.click("Acknowledge", user="UBOB")
    kit.clock.advance(timedelta(minutes=1))
    kit.click("Silence 1h", user="UANN")
    kit.clock.advance(timedelta(minutes=7))
    fires(kit, "HighErrorRate", started=started, ended=kit.clock())
    story = incident(kit, "INC-1")
    told = [story.index(word) for word in ("fires (critical)", "acknowledged", "silenced", "resolved")]
    assert told == sorted(told)
    assert "<@UBOB>" in story
    assert "over after 10 min" in story


def test_a_marked_message_joins_the_timeline_and_leaves_it(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    [line] = lines(kit)
    said = kit.chat.say("We rolled *back* 4.2", user="UBOB", channel="#alerts", thread=line.ts)
    marked = Reaction(emoji="memo", user=User(id="UANN"), channel="#alerts", ts=said.ts)
    kit.event("slack.reaction", marked)
    assert "We rolled *back* 4.2" in incident(kit, "inc-1")
    kit.event("slack.reaction", marked.model_copy(update={"emoji": "eyes"}))
    kit.event("slack.reaction", marked.model_copy(update={"added": False}))
    assert "We rolled" not in incident(kit, "1")


def test_who_is_no_person_is_not_mentioned(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    context = {"run": "r1", "mitigation": "restart", "status": "succeeded", "by": "auto", "text": "recovered"}
    Records(kit.kernel.db, "alert-relay", None, kit.clock).append(
        "mitigation", "HighErrorRate-checkout", {**context, "service": "checkout"}
    )
    kit.clock.advance(timedelta(seconds=1))
    story = incident(kit, "INC-1")
    assert "mitigation restart succeeded: recovered auto" in story
    assert "<@auto>" not in story


def test_a_mark_elsewhere_is_nobodys(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    said = kit.chat.say("Lunch?", user="UBOB", channel="#random")
    for ts in (said.ts, "404.1"):
        kit.event("slack.reaction", Reaction(emoji="memo", user=User(id="U1"), channel="#random", ts=ts))
    assert kit.records("marked") == []


def test_two_incidents_become_one(kit: Kit) -> None:
    fires(kit, "DiskFull", service="database")
    fires(kit, "HighErrorRate")
    fires(kit, "SlowCheckout", severity="warning")
    answer = incident(kit, "merge INC-2 INC-1")
    assert "INC-2 is part of INC-1 now" in answer
    assert "3 of 3 groups fire" in titled(kit, "DiskFull").text
    assert "INC-1" in titled(kit, "HighErrorRate").text
    assert "INC-2 became part of it" in incident(kit, "INC-2")
    fires(kit, "QueueGrows", severity="warning")
    assert "4 of 4 groups fire" in titled(kit, "DiskFull").text
    assert "Open incidents: 1" in incident(kit)


def test_what_fires_unseen_is_not_closed(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    assert "still fires and nobody acknowledged" in incident(kit, "close INC-1")
    kit.click("Acknowledge", user="UBOB")
    assert "INC-1 is closed" in incident(kit, "close INC-1")
    fires(kit, "SlowCheckout")
    assert "INC-2" in titled(kit, "SlowCheckout").text


def test_only_who_may_closes_or_merges(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    kit.click("Acknowledge", user="UBOB")
    for asked in ("close INC-1", "merge INC-1 INC-1"):
        assert "may not" in incident(kit, asked, user="USTRANGER") or "permission" in kit.reply.text
    assert "Open incidents: 1" in incident(kit)


@pytest.mark.parametrize("text", ["INC-9", "nothing", "close INC-9", "export x", "a b c d"])
def test_what_is_not_known_is_said(kit: Kit, text: str) -> None:
    assert "INC-12" in incident(kit, text)


def test_the_list_looks_back(kit: Kit) -> None:
    started = kit.clock()
    fires(kit, "HighErrorRate")
    kit.clock.advance(timedelta(minutes=5))
    fires(kit, "HighErrorRate", started=started, ended=kit.clock())
    kit.clock.advance(timedelta(days=2))
    assert "over after 5 min" in incident(kit, "list")
    assert "last 1 days: none" in incident(kit, "list 1")


def test_the_post_mortem_is_a_file_for_people_and_one_for_programs(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    kit.clock.advance(timedelta(minutes=3))
    kit.click("Acknowledge", user="UBOB")
    incident(kit, "export INC-1")
    text, data = (file.content.decode() for file in kit.chat.files)
    assert text.startswith("# INC-1: checkout: HighErrorRate")
    assert "| Time to acknowledge | 3 min |" in text
    assert "## Root cause" in text
    found = json.loads(data)
    assert found["seconds_to_acknowledge"] == 180
    assert found["seconds_to_resolve"] is None
    assert [entry["kind"] for entry in found["timeline"]] == ["fired", "incident", "ack"]


@given(st.text(max_size=80))
def test_nothing_that_was_said_becomes_markup(text: str) -> None:
    shown = postmortem.plain(f"<b>|{text}|\n# [x](http://evil)")
    assert "\n" not in shown
    for found in ("<b>", "|", "["):
        assert all(shown[i - 1] == "\\" for i in range(len(shown)) if shown.startswith(found, i))


def test_a_silence_from_outside_is_seen_by_the_incident(kit: Kit) -> None:
    fires(kit, "HighErrorRate")
    kit.click("Silence 1h", user="UANN")
    poll(kit, minutes=1)
    assert "INC-1 is closed" in incident(kit, "close INC-1")
