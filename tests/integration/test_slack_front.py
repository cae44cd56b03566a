"""Slack's front door over HTTP: what is let in, when it is answered, and what is known already."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from structlog.testing import capture_logs

from bot.core.errors import Transient
from bot.core.events import ChatMessage, Click, Command, Submission
from bot.plugin import Context, Plugin, SharedLinks, Shortcut, action, command, on, shortcut, view
from bot.slack.front import NOT_TAKEN
from tests.integration.web_kit import Web, web

pytestmark = pytest.mark.integration
SECRET = b"slack-secret"


class Toy(Plugin):
    name = "toy"

    @command("hi", help="Say hi.")
    def hi(self, cmd: Command, ctx: Context) -> None: ...

    @action("press", permission="toy.press")
    def press(self, click: Click, ctx: Context) -> None: ...

    @view("form", permission="toy.form")
    def form(self, filled: Submission, ctx: Context) -> None: ...

    @shortcut("keep", title="Keep this", help="Keep a message.", permission="toy.keep")
    def keep(self, asked: Shortcut, ctx: Context) -> None: ...

    @on("slack.links")
    def links(self, shared: SharedLinks, ctx: Context) -> None: ...

    @on("slack.mention")
    def mention(self, said: ChatMessage, ctx: Context) -> None: ...


@pytest.fixture
def site(database_url: str) -> Iterator[Web]:
    with web(database_url, Toy(Toy.Config())) as started:
        yield started


def signature(stamp: str, body: bytes) -> str:
    digest = hmac.new(SECRET, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256)
    return f"v0={digest.hexdigest()}"


def send(site: Web, body: bytes, kind: str, **headers: str) -> httpx2.Response:
    stamp = str(int(time.time()))
    signed = {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": signature(stamp, body),
        "Content-Type": kind,
    }
    return site.http.post("/slack/events", content=body, headers=signed | headers)


def slash(site: Web, text: str = "hi", trigger: str = "t1") -> httpx2.Response:
    form = {"command": "/signalbox", "text": text, "user_id": "U1", "channel_id": "C1", "trigger_id": trigger}
    return send(site, urlencode(form).encode(), "application/x-www-form-urlencoded")


def interact(site: Web, payload: dict[str, Any]) -> httpx2.Response:
    form = urlencode({"payload": json.dumps(payload)}).encode()
    return send(site, form, "application/x-www-form-urlencoded")


def said(site: Web, event_id: str = "Ev1", kind: str = "app_mention", **headers: str) -> httpx2.Response:
    event = {"type": kind, "user": "U1", "text": "<@UBOT> hello", "channel": "C1", "ts": "1.000100"}
    body = {
        "type": "event_callback",
        "event_id": event_id,
        "authorizations": [{"user_id": "UBOT"}],
        "event": event,
    }
    return send(site, json.dumps(body).encode(), "application/json", **headers)


def click(action_id: str = "toy:press#b1", **more: Any) -> dict[str, Any]:
    pressed = {"type": "button", "action_id": action_id, "value": "b1", "action_ts": "1.1"}
    return {"type": "block_actions", "user": {"id": "U1", "name": "ann"}, "actions": [pressed], **more}


def form(private: str, view_id: str = "V1") -> dict[str, Any]:
    state = {"values": {"0-r": {"why": {"type": "plain_text_input", "value": "because"}}}}
    shown = {
        "id": view_id,
        "hash": "h",
        "callback_id": "toy:form",
        "private_metadata": private,
        "state": state,
    }
    return {"type": "view_submission", "user": {"id": "U1", "name": "ann"}, "view": shown}


def chosen(callback: str = "toy:keep", trigger: str = "t1", **more: Any) -> dict[str, Any]:
    """docs.slack.dev, interaction payloads: message_action."""
    said = {"type": "message", "user": "U2", "text": "see <https://a.example|this> &amp; that", "ts": "5.1"}
    return {
        "type": "message_action",
        "callback_id": callback,
        "trigger_id": trigger,
        "action_ts": "6.1",
        "message_ts": "5.1",
        "channel": {"id": "C1", "name": "general"},
        "user": {"id": "U1", "name": "ann"},
        "message": said,
        **more,
    }


def handlers(site: Web) -> list[str]:
    return sorted(run.handler for run in site.kernel.inbox.runs())


# --- who is let in -----------------------------------------------------------------------------------


def test_commands_clicks_forms_and_mentions_become_runs(site: Web) -> None:
    answers = [slash(site), interact(site, click()), interact(site, form("{}")), said(site)]
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "")] * 4
    assert handlers(site) == ["toy.form", "toy.hi", "toy.mention", "toy.press"]
    queued = {run.run_id for run in site.queue.runs}
    assert queued == {run.id for run in site.kernel.inbox.runs()}


def test_a_flood_of_forgeries_does_not_fill_the_log(database_url: str) -> None:
    with (
        web(database_url, Toy(Toy.Config()), limits={"failures": "3/minute"}) as site,
        capture_logs() as logs,
    ):
        for _ in range(9):
            assert site.http.post("/slack/events", content=b"{}").status_code == 401
    assert [entry["event"] for entry in logs if entry.get("source") == "slack"] == ["delivery.refused"] * 3


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Signature": ""},
        {"X-Slack-Request-Timestamp": "1500000000"},
        {"X-Slack-Request-Timestamp": "yesterday"},
        {"X-Slack-Request-Timestamp": ""},
        {"X-Slack-Request-Timestamp": "9" * 400},
        {"X-Slack-Request-Timestamp": "-1"},
    ],
)
def test_what_slack_did_not_sign_now_is_refused(site: Web, headers: dict[str, str]) -> None:
    assert said(site, **headers).status_code == 401
    assert handlers(site) == []


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b'{"type": "event_callback"}', "application/json"),
        (b'{"type": "block_actions", "actions": []}', "application/json"),
        (b'{"type": "message_action", "callback_id": "toy:keep"}', "application/json"),
        (json.dumps(form("not json")).encode(), "application/json"),
        (json.dumps(form("[1]")).encode(), "application/json"),
        (b"{", "application/json"),
    ],
)
def test_what_cannot_be_read_is_the_senders_fault(site: Web, body: bytes, kind: str) -> None:
    assert send(site, body, kind).status_code == 400
    assert handlers(site) == []


def test_slack_checks_the_address_and_gets_its_challenge(site: Web) -> None:
    body = {"type": "url_verification", "challenge": "c0ffee", "token": "legacy"}
    answer = send(site, json.dumps(body).encode(), "application/json")
    assert (answer.status_code, answer.json()) == (200, {"challenge": "c0ffee"})


def test_our_own_and_other_bots_messages_are_left_alone(site: Web) -> None:
    event = {"type": "message", "bot_id": "B1", "text": "hi", "channel": "C1", "ts": "1.0"}
    body = {"type": "event_callback", "event_id": "Ev1", "event": event}
    assert send(site, json.dumps(body).encode(), "application/json").status_code == 200
    assert site.kernel.inbox.recent() == []


def test_what_people_say_to_each_other_is_not_kept(site: Web) -> None:
    event = {"type": "message", "user": "U1", "text": "lunch?", "channel": "C1", "ts": "1.0"}
    body = {"type": "event_callback", "event_id": "Ev1", "event": event}
    assert send(site, json.dumps(body).encode(), "application/json").status_code == 200
    assert site.kernel.inbox.recent() == []


def pasted(site: Web, event_id: str = "Ev9", source: str = "conversations_history", **more: Any) -> None:
    link = {"url": "https://desk.example/browse/SUP-1?a=1&amp;b=2", "domain": "desk.example"}
    event = {
        "type": "link_shared",
        "user": "U1",
        "channel": "C1",
        "message_ts": "5.1",
        "links": [link, link],
        "source": source,
        "unfurl_id": "C1-5.1",
        "event_ts": "6.1",
    }
    body = {"type": "event_callback", "event_id": event_id, "event": event, **more}
    assert send(site, json.dumps(body).encode(), "application/json").status_code == 200


def test_links_are_told_once_and_as_they_stand_in_the_message(site: Web) -> None:
    pasted(site)
    pasted(site)
    assert handlers(site) == ["toy.links"]
    leased = site.kernel.inbox.lease(site.kernel.inbox.runs()[0].id, "test", timedelta(minutes=1))
    shared = SharedLinks.model_validate_json(leased.body)
    assert shared.urls == ("https://desk.example/browse/SUP-1?a=1&amp;b=2",)
    assert (shared.channel, shared.ts) == ("C1", "5.1")


def test_links_that_others_would_read_along_or_that_are_still_written_are_left(site: Web) -> None:
    pasted(site, is_ext_shared_channel=True)
    pasted(site, "Ev10", source="composer")
    assert handlers(site) == []


def test_a_shortcut_becomes_a_run_with_the_message_as_plain_text(site: Web) -> None:
    answer = interact(site, chosen())
    assert (answer.status_code, answer.text) == (200, "")
    assert handlers(site) == ["toy.keep"]
    leased = site.kernel.inbox.lease(site.kernel.inbox.runs()[0].id, "test", timedelta(minutes=1))
    asked = Shortcut.model_validate_json(leased.body)
    assert (asked.message.text, asked.message.user.id) == ("see this (https://a.example) & that", "U2")
    assert (asked.message.channel, asked.message.ts, asked.by_app) == ("C1", "5.1", False)


def test_a_shortcut_sent_twice_is_one_and_chosen_twice_is_two(site: Web) -> None:
    for trigger in ("t1", "t1", "t2"):
        interact(site, chosen(trigger=trigger))
    assert handlers(site) == ["toy.keep", "toy.keep"]


def test_a_shortcut_that_no_plugin_has_runs_nothing(site: Web) -> None:
    assert interact(site, chosen("toy:gone")).status_code == 200
    assert handlers(site) == []


# --- known already -----------------------------------------------------------------------------------


def test_a_retry_is_the_same_event(site: Web) -> None:
    retried = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}
    assert [said(site).status_code, said(site, **retried).status_code] == [200, 200]
    assert handlers(site) == ["toy.mention"]


@pytest.mark.parametrize("order", [["app_mention", "message"], ["message", "app_mention"]])
def test_a_mention_that_comes_as_two_events_is_one(site: Web, order: list[str]) -> None:
    for number, kind in enumerate(order):
        assert said(site, f"Ev{number}", kind).status_code == 200
    assert handlers(site) == ["toy.mention"]


def test_a_command_typed_twice_is_two(site: Web) -> None:
    for trigger in ("t1", "t1", "t2"):
        slash(site, trigger=trigger)
    assert handlers(site) == ["toy.hi", "toy.hi"]


# --- answered when it is safe, and never left without an answer --------------------------------------


def test_the_answer_waits_for_the_commit(site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    arrived, released = threading.Event(), threading.Event()
    put_many = site.kernel.inbox.put_many

    def slow(events: Any) -> Any:
        arrived.set()
        released.wait(10)
        return put_many(events)

    monkeypatch.setattr(site.kernel.inbox, "put_many", slow)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(said, site)
        assert arrived.wait(10)
        assert not answer.done()
        released.set()
        assert answer.result(10).status_code == 200
    assert handlers(site) == ["toy.mention"]


def _refuse(_events: Any) -> Any:
    raise Transient("The database is locked.")


def test_an_event_that_cannot_be_stored_comes_again(site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(site.kernel.inbox, "put_many", _refuse)
        assert said(site).status_code == 503
    assert said(site).status_code == 200
    assert handlers(site) == ["toy.mention"]


def test_who_types_a_command_is_told_that_nothing_ran(site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.kernel.inbox, "put_many", _refuse)
    assert slash(site).json()["text"] == NOT_TAKEN
    assert interact(site, form("{}")).json()["errors"] == {"0-r": NOT_TAKEN}
    assert site.queue.runs == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hii", "Did you mean `/signalbox hi`"),
        ("xyzzy", "`/signalbox help` lists"),
        ("`<!here>` now", "no `'&lt;!here&gt;'`"),
    ],
)
def test_an_unknown_command_is_answered_at_once(site: Web, text: str, words: str) -> None:
    answer = slash(site, text).json()
    assert answer["response_type"] == "ephemeral"
    assert words in answer["text"]
    assert "<!here>" not in answer["text"]
    assert handlers(site) == []


def test_a_form_that_came_from_no_channel_is_answered_to_its_sender(site: Web) -> None:
    interact(site, form(json.dumps({"data": {"key": "SUP-1"}, "channel": ""})))
    [event] = site.kernel.inbox.recent()
    filled = Submission.model_validate_json(site.kernel.inbox.event(event.id)[1])
    assert (filled.reply_to.channel, filled.private, filled.values) == (
        "U1",
        {"key": "SUP-1"},
        {"why": "because"},
    )


def test_a_click_on_a_button_that_is_gone_is_not_sent_elsewhere(site: Web) -> None:
    """The words go to the response URL; that they reach the person is tested against the stand-in."""
    answer = interact(site, click("gone:button#b1", response_url="http://127.0.0.1:1/metadata"))
    assert (answer.status_code, answer.text) == (200, "")
    assert handlers(site) == []
