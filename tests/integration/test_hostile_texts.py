"""Texts that no database takes pass through every table, and fail nobody who shares their transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.events import DedupeKey, NewEvent
from bot.core.inbox import Inbox, Lease
from bot.core.memory import Documents, Records
from bot.core.texts import storable, storable_json, storable_key
from tests.integration.web_kit import Web, alert_body, bearer, jira_body, jira_headers, web

pytestmark = pytest.mark.integration
HOSTILE = ["a\0b", "lone \ud800 half", "x" * 5000, "'; DROP TABLE events; --", "%_\\", "\u202egnp.exe", "🙂"]


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    made.migrate()
    yield made
    made.close()


@pytest.mark.parametrize("text", HOSTILE)
def test_an_event_with_it_is_stored_leased_and_buried(db: Database, text: str) -> None:
    inbox = Inbox(db)
    new = NewEvent(
        "jira", "ticket.created", text, b"{}", (DedupeKey(text),), serial=text, actor=text,
        runs=(("p.m", "io"),),
    )  # fmt: skip
    first, plain, again = inbox.put_many(
        [new, replace(new, dedupe=(), id="0" * 32), replace(new, id="1" * 32)]
    )
    assert (first.duplicate, plain.duplicate, again.duplicate) == (False, False, True)
    lease = inbox.lease(f"{new.id}-0", "w", timedelta(seconds=30))
    assert isinstance(lease, Lease)
    inbox.dead(lease, text)
    assert inbox.runs(status="dead")[0].error


@pytest.mark.parametrize("text", HOSTILE)
def test_the_trail_and_what_plugins_remember_take_it(db: Database, text: str) -> None:
    trail = Audit(db)
    trail.record(text, "a", text, before={text: [text]}, after=text)
    assert trail.verify().ok
    Records(db, "p").append("kind", text, {text: text})
    Documents(db, "p").put(text[:255], {text: text})
    assert Documents(db, "p").get(text[:255]) is not None


def test_what_is_no_number_becomes_nothing(db: Database) -> None:
    """1e999 is JSON, and infinite for Python; PostgreSQL takes neither that nor NaN."""
    odd = {"a": float("inf"), "b": [float("nan"), 1.5], "c": {"d": -float("inf")}}
    Documents(db, "p").put("k", odd)
    Audit(db).record("U1", "a", "s", after=odd)
    found = Documents(db, "p").get("k")
    assert found is not None
    assert found.data == {"a": None, "b": [None, 1.5], "c": {"d": None}} == Audit(db).rows()[0].after
    assert Audit(db).verify().ok


def test_long_keys_stay_different() -> None:
    one, two = "k" * 400 + "1", "k" * 400 + "2"
    assert storable_key(one) != storable_key(two)
    assert len(storable_key(one)) <= 255
    assert storable_key("short") == "short"


def test_whole_characters_stay_and_halves_do_not() -> None:
    assert storable("🙂") == "🙂"
    assert json.loads(storable_json({"a": "🙂", "b": "\ud800"})) == {"a": "🙂", "b": "\ufffd"}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_delivery_with_it_is_taken_or_refused_but_never_500(database_url: str, text: str) -> None:
    with web(database_url) as site:
        for status in deliver(site, text):
            assert status in {202, 400}


def deliver(site: Web, text: str) -> Iterator[int]:
    body = jira_body(text)
    yield site.http.post("/webhooks/jira", content=body, headers=jira_headers(body, "d" * 300)).status_code
    group: dict[str, Any] = {"groupKey": text, "groupLabels": {"alertname": text}}
    alert = alert_body(**group)
    yield site.http.post("/webhooks/alertmanager", content=alert, headers=bearer("am-token")).status_code
