"""Jira's webhooks: what they become, whose change it was, and what is turned away."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import BadDelivery, Permanent
from bot.core.events import Delivery, NewEvent, TicketEvent
from bot.core.settings import JiraSettings
from integrations.jira.source import JiraSource, ticket_of

pytestmark = pytest.mark.unit
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SETTINGS = JiraSettings.model_validate({"url": "https://acme.example/", "webhook_secret": "shh"})
BOT = "5b10:bot"
ADF = {
    "type": "doc",
    "version": 1,
    "content": [{"type": "paragraph", "content": [{"type": "text", "text": "Card declined twice."}]}],
}


def source(own_account: str = BOT) -> JiraSource:
    return JiraSource(SETTINGS, lambda: own_account)


def payload(event: str = "jira:issue_updated", **more: Any) -> dict[str, Any]:
    fields = {
        "summary": "Payment fails",
        "description": "Card declined twice.",
        "labels": ["payments", "vip"],
        "status": {"name": "To Do"},
        "priority": {"name": "High"},
        "project": {"key": "SUP"},
        "reporter": {"displayName": "Mia Okafor", "accountId": "5b10:mia"},
        "created": "2026-11-23T09:00:00.000+0100",
    }
    return {
        "timestamp": 1795435200000,
        "webhookEvent": event,
        "user": {"accountId": "5b10:mia"},
        "issue": {"id": "10007", "key": "SUP-7", "fields": fields},
        **more,
    }


def test_an_issue_with_a_security_level_is_restricted() -> None:
    issue = payload()["issue"]
    assert not ticket_of(issue, "https://acme.example").restricted
    issue["fields"]["security"] = {"id": "1", "name": "Management only"}
    assert ticket_of(issue, "https://acme.example").restricted


def delivery(data: Any, **headers: str) -> Delivery:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Delivery("jira", body, {name.replace("_", "-"): value for name, value in headers.items()})


def taken(data: Any, **headers: str) -> NewEvent:
    event = source().normalise(delivery(data, **headers), NOW)
    assert event is not None
    return event


def parsed(data: dict[str, Any], own_account: str = BOT) -> TicketEvent:
    found = source(own_account).parse("ticket.updated", json.dumps(data).encode())
    assert isinstance(found, TicketEvent)
    return found


def test_a_signed_delivery_passes_and_a_changed_one_does_not() -> None:
    body = json.dumps(payload()).encode()
    signature = "sha256=" + hmac.new(b"shh", body, hashlib.sha256).hexdigest()
    source().verify(delivery(body, x_hub_signature=signature), NOW)
    with pytest.raises(BadDelivery) as caught:
        source().verify(delivery(body + b" ", x_hub_signature=signature), NOW)
    assert caught.value.status == 401


def test_without_a_secret_every_delivery_is_refused_by_the_settings_name() -> None:
    with pytest.raises(BadDelivery, match="JIRA_WEBHOOK_SECRET"):
        JiraSource(JiraSettings(), lambda: "").verify(delivery(payload()), NOW)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("jira:issue_created", "ticket.created"),
        ("jira:issue_updated", "ticket.updated"),
        ("jira:issue_deleted", "ticket.deleted"),
        ("comment_created", "ticket.commented"),
    ],
)
def test_kinds_keep_their_order_per_ticket(event: str, kind: str) -> None:
    new = taken(payload(event), x_atlassian_webhook_identifier="d1")
    assert (new.kind, new.subject, new.serial, new.actor) == (kind, "SUP-7", "jira:SUP-7", "5b10:mia")
    assert [key.key for key in new.dedupe] == ["jira:d1"]


@pytest.mark.parametrize("event", ["jira:version_released", "comment_updated", "", None, 7])
def test_events_that_nobody_handles_are_ignored(event: Any) -> None:
    assert source().normalise(delivery(payload(event)), NOW) is None


def key_of(data: dict[str, Any]) -> str:
    return taken(data).dedupe[0].key


def test_without_an_identifier_a_repeated_delivery_is_known_by_its_content() -> None:
    first = payload(changelog={"id": "5"})
    assert key_of(first) == key_of(json.loads(json.dumps(first)))
    others = [
        payload(changelog={"id": "6"}),
        payload(changelog={"id": "5"}, timestamp=1795435200001),
        payload("jira:issue_deleted", changelog={"id": "5"}),
        payload(changelog={"id": "5"}, comment={"id": "1"}),
    ]
    assert len({key_of(data) for data in [first, *others]}) == 5


@pytest.mark.parametrize(
    "key", [None, "", 7, "SUP", "SUP-", "../../admin", "SUP-7?x=1", "SUP-7\u0000", "\ud800-1"]
)
def test_a_key_that_is_no_issue_key_is_malformed(key: Any) -> None:
    with pytest.raises(BadDelivery, match=r"issue\.key") as caught:
        source().normalise(delivery(payload(issue={"key": key})), NOW)
    assert caught.value.status == 400


def test_an_actor_that_no_column_can_hold_is_left_out() -> None:
    assert taken(payload(user={"accountId": "\ud800\u0000"})).actor == ""


@pytest.mark.parametrize("description", ["Card declined twice.", ADF])
def test_the_ticket_is_read_from_plain_text_and_from_a_document(description: Any) -> None:
    data = payload()
    data["issue"]["fields"]["description"] = description
    ticket = parsed(data).ticket
    assert ticket.description == "Card declined twice."
    assert (ticket.system, ticket.key, ticket.summary) == ("jira", "SUP-7", "Payment fails")
    assert ticket.labels == ("payments", "vip")
    assert (ticket.status, ticket.priority, ticket.project) == ("To Do", "High", "SUP")
    assert ticket.reporter == "Mia Okafor"
    assert ticket.url == "https://acme.example/browse/SUP-7"
    assert ticket.created_at == datetime(2026, 11, 23, 8, tzinfo=UTC)


def test_fields_that_a_payload_leaves_out_are_empty() -> None:
    ticket = parsed(payload("comment_created", issue={"key": "SUP-7", "fields": {"priority": None}})).ticket
    assert (ticket.summary, ticket.description, ticket.labels, ticket.priority) == ("", "", (), "")


def test_our_own_change_is_known_and_anothers_is_not() -> None:
    ours = payload(user={"accountId": BOT})
    assert parsed(ours).by_us
    assert not parsed(payload()).by_us
    assert not parsed(ours, own_account="").by_us


def test_a_comments_author_is_its_actor() -> None:
    data = payload("comment_created", user=None, comment={"id": "1", "author": {"accountId": "5b10:jo"}})
    assert parsed(data).actor == taken(data).actor == "5b10:jo"


def test_labels_that_came_and_went_are_told_apart() -> None:
    items = [
        {"field": "labels", "fromString": "a b", "toString": "b c"},
        {"field": "status", "fromString": "To Do", "toString": "Done"},
        "nonsense",
    ]
    event = parsed(payload(changelog={"id": "1", "items": items}))
    assert (event.labels_added, event.labels_removed) == (("c",), ("a",))


@pytest.mark.parametrize("body", [b"", b"{}", b'{"issue":{"key":"SUP-1","fields":{"labels":[[]]}}}'])
def test_a_stored_body_that_cannot_be_read_is_a_dead_letter(body: bytes) -> None:
    with pytest.raises(Permanent, match="Jira's payload"):
        source().parse("ticket.updated", body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["issue", "key", "fields", "labels", "changelog", "items", "user", "comment", "description", "id", "field"]
    ), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["issue", "user", "changelog", "comment", "timestamp"]), JSON))
def test_no_payload_breaks_the_source(data: dict[str, Any]) -> None:
    body = json.dumps({"webhookEvent": "jira:issue_updated", **data}).encode()
    try:
        source().normalise(delivery(body), NOW)
        source().parse("ticket.updated", body)
    except (BadDelivery, Permanent):
        return
