"""Alertmanager's webhook: every recorded payload, what makes two deliveries one, and what can't be read."""

from __future__ import annotations

import base64
import copy
import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import BadDelivery, Permanent
from bot.core.events import AlertGroup, Delivery, NewEvent
from bot.core.settings import AlertmanagerSettings
from integrations.alertmanager.models import ApiGroup, group_key
from integrations.alertmanager.source import AlertmanagerSource
from tests.recordings import FOLDER, recording

pytestmark = pytest.mark.unit
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STORM = "storm_1000_alerts_one_group.json.gz"
PAYLOADS = sorted(p.name for p in FOLDER.glob("*.json*") if p.name != "headers_bearer.json")
SOURCE = AlertmanagerSource(AlertmanagerSettings.model_validate({"token": "tok", "duplicate_window": 7}))


def body(name: str) -> bytes:
    raw = recording(name)
    return gzip.decompress(raw) if name.endswith(".gz") else raw


def fixture(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(body(name))
    return data


def taken(data: bytes | dict[str, Any]) -> NewEvent:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    event = SOURCE.normalise(Delivery("alertmanager", raw), NOW)
    assert event is not None
    return event


def parsed(data: bytes | dict[str, Any]) -> AlertGroup:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    group = SOURCE.parse("alertmanager.group", raw)
    assert isinstance(group, AlertGroup)
    return group


def test_all_recordings_are_here() -> None:
    assert len(PAYLOADS) == 11
    assert STORM in PAYLOADS


@pytest.mark.parametrize("name", PAYLOADS)
def test_every_recorded_payload_becomes_an_event_and_a_group(name: str) -> None:
    sent = fixture(name)
    event, group = taken(body(name)), parsed(body(name))
    assert event.dead is None
    assert (event.source, event.kind, event.actor) == ("alertmanager", "alertmanager.group", "alertmanager")
    assert event.body == body(name)
    assert event.subject == group.key == group_key(sent["receiver"], sent["groupLabels"])
    assert event.serial == f"alertmanager:{group.key}"
    assert [key.window for key in event.dedupe] == [7]
    assert (group.status, group.receiver, group.group_key) == (
        sent["status"],
        sent["receiver"],
        sent["groupKey"],
    )
    assert group.truncated == sent["truncatedAlerts"]
    assert group.common_labels == sent["commonLabels"]
    assert [a.fingerprint for a in group.alerts] == [a["fingerprint"] for a in sent["alerts"]]
    assert [a.status for a in group.alerts] == [a["status"] for a in sent["alerts"]]
    assert [a.ends_at is None for a in group.alerts] == [a["status"] == "firing" for a in sent["alerts"]]


def test_the_storm_fits_the_limit_and_keeps_its_thousand_alerts() -> None:
    raw = body(STORM)
    assert len(raw) < SOURCE.max_body
    assert len(parsed(raw).firing()) == 1000


def test_one_groups_life_has_one_key_and_four_different_notifications() -> None:
    life = ["grouped_firing_2", "grouped_firing_3_new_alert", "grouped_partial_resolved", "grouped_resolved"]
    events = [taken(body(f"{name}.json")) for name in life]
    assert len({event.subject for event in events}) == 1
    assert len({event.dedupe[0].key for event in events}) == 4


def dedupe_key(data: dict[str, Any]) -> str:
    return taken(data).dedupe[0].key


def test_the_order_of_alerts_and_fields_that_say_nothing_new_make_no_difference() -> None:
    sent = fixture("grouped_partial_resolved.json")
    same = copy.deepcopy(sent)
    same["alerts"].reverse()
    same["notification_reason"] = "repeat interval elapsed"
    same["externalURL"] = "http://other-peer:9093"
    for alert in same["alerts"]:
        alert["annotations"] = {}
        if alert["status"] == "firing":
            alert["endsAt"] = "2026-11-24T00:00:00Z"
    assert dedupe_key(same) == dedupe_key(sent)


@pytest.mark.parametrize(
    "change", ["status", "startsAt", "endsAt", "fingerprint", "truncated", "receiver", "route"]
)
def test_what_matters_makes_another_notification(change: str) -> None:
    sent = fixture("grouped_resolved.json")
    other = copy.deepcopy(sent)
    values = {"status": "firing", "startsAt": "2026-11-23T00:00:00Z", "endsAt": "2026-11-23T23:00:00Z"}
    match change:
        case "truncated":
            other["truncatedAlerts"] = 2
        case "receiver":
            other["receiver"] = "another"
        case "route":
            other["groupKey"] = '{}/{severity="page"}:{}'
        case _:
            other["alerts"][0][change] = values.get(change, "0000000000000000")
    assert dedupe_key(other) != dedupe_key(sent)


def test_the_groups_key_outlives_a_change_of_the_routing_tree() -> None:
    sent = fixture("grouped_firing_2.json")
    moved = sent | {"groupKey": '{}/{team="new"}:{alertname="x"}'}
    assert parsed(moved).key == parsed(sent).key


def test_the_webhook_and_the_api_name_a_group_alike() -> None:
    [api] = [
        ApiGroup.model_validate(g).value() for g in json.loads(recording("v2/get_alert_groups.json"))[:1]
    ]
    webhook = fixture("grouped_firing_2.json") | {"receiver": api.receiver, "groupLabels": api.group_labels}
    assert parsed(webhook).key == api.key
    assert len(api.key) == 32


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not json", id="no JSON"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"text": "custom payload"}', id="a payload map of its own"),
        pytest.param(json.dumps(fixture("single_firing.json") | {"version": "5"}).encode(), id="another version"),
        pytest.param(b'{"alerts":' + b"[" * 100_000, id="deep"),
        pytest.param(b'{"version":"4","receiver":"\\ud800"}', id="half a character"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_kept_as_a_dead_letter(raw: bytes) -> None:
    event = taken(raw)
    assert event.dead is not None
    assert "v4" in event.dead
    assert event.body == raw
    assert event.dedupe == ()
    with pytest.raises(Permanent, match="v4"):
        SOURCE.parse(event.kind, raw)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_source(raw: bytes) -> None:
    assert taken(raw).dead


def test_the_reason_of_a_dead_letter_does_not_repeat_the_payload() -> None:
    secret = fixture("single_firing.json") | {"status": "hunter2"}
    assert "hunter2" not in str(taken(secret).dead)


# --- authentication ----------------------------------------------------------------------------------


def verify(settings: dict[str, str], authorization: str) -> None:
    source = AlertmanagerSource(AlertmanagerSettings.model_validate(settings))
    source.verify(
        Delivery("alertmanager", b"", {"authorization": authorization} if authorization else {}), NOW
    )


BASIC = "Basic " + base64.b64encode(b"am:pw").decode()
BOTH = {"token": "tok", "username": "am", "password": "pw"}


@pytest.mark.parametrize(
    ("settings", "authorization"),
    [({"token": "tok"}, "Bearer tok"), (BOTH, "Bearer tok"), (BOTH, BASIC), ({"username": "am", "password": "pw"}, BASIC)],
)  # fmt: skip
def test_bearer_and_basic_are_taken_as_configured(settings: dict[str, str], authorization: str) -> None:
    verify(settings, authorization)


@pytest.mark.parametrize(
    ("settings", "authorization", "word"),
    [
        ({}, "Bearer tok", "SIGNALBOX_ALERTMANAGER__TOKEN"),
        ({}, "", "SIGNALBOX_ALERTMANAGER__TOKEN"),
        ({"username": "am"}, BASIC, "SIGNALBOX_ALERTMANAGER__PASSWORD"),
        ({"token": "tok"}, BASIC, "bearer"),
        ({"token": "tok"}, "Bearer no", "does not match"),
        ({"token": "tok"}, "", "bearer"),
        (BOTH, "Basic " + base64.b64encode(b"am:no").decode(), "wrong"),
    ],
)
def test_anything_else_is_401_and_the_log_says_why(
    settings: dict[str, str], authorization: str, word: str
) -> None:
    with pytest.raises(BadDelivery, match=word) as caught:
        verify(settings, authorization)
    assert caught.value.status == 401
