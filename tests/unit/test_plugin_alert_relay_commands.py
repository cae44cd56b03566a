"""`/signalbox alerts`: what fires, what is silenced, why a message goes where it goes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from alert_samples import alert, group

from bot.plugin import Matcher, Silence
from bot.testing import START, Kit
from plugins.alert_relay import AlertRelay

pytestmark = pytest.mark.unit
CONFIG: dict[str, Any] = {
    "routes": [
        {"channel": "#db", "match": {"service": "database"}},
        {"channel": "#pay", "match_re": {"service": "check.*"}, "oncall": "pay", "escalate_minutes": 5},
    ],
    "oncall": {"pay": {"group": "S0PAY"}},
}


@pytest.fixture
def kit() -> Iterator[Kit]:
    with Kit(AlertRelay, config=CONFIG) as made:
        made.grant("UBOB", "alerts.*")
        yield made


def fire(kit: Kit) -> None:
    live = group(alert())
    kit.alerts.set([live])
    kit.event("alertmanager.group", live)


def said(kit: Kit, line: str) -> str:
    kit.command(f"/signalbox alerts {line}")
    return kit.reply.text


def test_nothing_fires(kit: Kit) -> None:
    assert "Nothing fires" in said(kit, "")


def test_what_fires_is_listed_with_who_is_on_it(kit: Kit) -> None:
    fire(kit)
    kit.click("Acknowledge", user="UBOB")
    text = said(kit, "")
    assert "1 group firing: 1 acknowledged, 0 silenced." in text
    assert "*HighErrorRate · checkout* · critical · 1 alert" in text
    assert "in #pay · INC-1 · <@UBOB> is on it" in text


def test_silences_that_mute_nothing_are_marked(kit: Kit) -> None:
    fire(kit)
    kit.click("Silence 1h", user="UBOB")
    old = Silence(
        id="old",
        matchers=(Matcher(name="job", value="`gone`<!here>"),),
        ends_at=START + timedelta(days=1),
        created_by="dora",
        comment="forgotten",
    )
    kit.alerts.put(old)
    text = said(kit, "silences")
    assert "2 active silences; 1 without effect." in text
    assert ":grey_question: mutes nothing · `job='gone'&lt;!here&gt;`" in text
    assert "by dora: forgotten" in text


def test_explain_tells_the_route_and_who_is_called(kit: Kit) -> None:
    text = said(kit, "explain service=checkout")
    assert "Route 1 (#db) does not fit: service is 'checkout', not 'database'." in text
    assert "Route 2 fits: #pay." in text
    assert "within 5 min, <!subteam^S0PAY> is called (entry pay)" in text


def test_explain_of_a_group_tells_its_state_too(kit: Kit) -> None:
    fire(kit)
    kit.click("Silence 1h", user="UBOB")
    text = said(kit, "explain higherrorrate")
    assert "Its message stands in #pay" in text
    assert "Silenced until 10:00 UTC by <@UBOB>." in text


def test_what_fits_no_route_goes_to_the_general_channel(kit: Kit) -> None:
    text = said(kit, "explain service=search")
    assert "which 'check.*' does not match" in text
    assert "general channel #alerts" in text
    assert "Nobody is called" in text


@pytest.mark.parametrize("line", ["explain", "nonsense"])
def test_what_is_not_understood_shows_how(kit: Kit, line: str) -> None:
    assert "alerts explain service=checkout" in said(kit, line)


def test_explaining_what_does_not_fire_asks_for_labels(kit: Kit) -> None:
    assert "Nothing that fires" in said(kit, "explain ghost")
