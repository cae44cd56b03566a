"""Our Slack adapter against the stand-in: what people see, and what a bad day does to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sandbox_slack_kit import ALICE, BOB, GENERAL, SUPPORT, Sandbox, running
from standin_server import until

from bot.core.database import Database
from bot.core.errors import Permanent, Throttled, Transient
from bot.core.events import ReplyTo, utc_now
from bot.core.integration import Services
from bot.core.messages import Actions, Button, Code, Message, MessageRef, Section
from bot.core.settings import Settings
from bot.core.stored_messages import StoredMessages
from integrations.slack.chat import SlackChat

pytestmark = pytest.mark.contract
HELLO = Message(text="hello")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running(rate_limits=False) as started:
        yield started


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[StoredMessages]:
    db = Database(f"sqlite:///{tmp_path / 'chat.db'}")
    db.migrate()
    yield StoredMessages(db)
    db.close()


def chat_of(sandbox: Sandbox, stored: StoredMessages, token: str = "xoxb-sandbox") -> SlackChat:
    settings = Settings.model_validate(
        {"slack": {"bot_token": token, "api_url": f"{sandbox.url}/slack/api/"}}
    )
    return SlackChat.connect(Services(settings, stored, lambda message: message, utc_now))


@pytest.fixture
def chat(sandbox: Sandbox, stored: StoredMessages) -> SlackChat:
    return chat_of(sandbox, stored)


def fault(sandbox: Sandbox, method: str, **plan: Any) -> None:
    sandbox.page("faults", method=method, **plan)


def texts(sandbox: Sandbox, channel: str = GENERAL, user: str = ALICE) -> list[str]:
    return [message["text"] for message in sandbox.messages(channel, user)]


def command(sandbox: Sandbox) -> ReplyTo:
    """Where the answer to Alice's slash command goes."""
    sandbox.page("say", user=ALICE, channel=GENERAL, text="/signalbox ping")
    body = sandbox.bot.wait_for("command")[-1].body
    return ReplyTo(channel=GENERAL, user=ALICE, response_url=body["response_url"], replaceable=True)


# --- messages that live ------------------------------------------------------------------------------


def test_a_living_message_is_updated_in_place(chat: SlackChat, sandbox: Sandbox) -> None:
    first = chat.upsert(channel="#support", key="k", message=Message(text="firing"), step_key="s1")
    second = chat.upsert(channel="#support", key="k", message=Message(text="resolved"), step_key="s2")
    assert second == first
    assert first.channel == SUPPORT
    assert texts(sandbox, SUPPORT) == ["resolved"]


def test_updates_that_slack_puts_off_coalesce_to_the_newest(
    chat: SlackChat, sandbox: Sandbox, stored: StoredMessages
) -> None:
    ref = chat.upsert(channel=GENERAL, key="k", message=Message(text="0"), step_key="s")
    fault(sandbox, "chat.update", status=429, retry_after=2)
    for number in range(1, 6):
        assert chat.upsert(channel=GENERAL, key="k", message=Message(text=str(number)), step_key="s") == ref
    assert texts(sandbox) == ["0"]
    until(lambda: chat.flush() == 1)
    assert texts(sandbox) == ["5"]
    assert stored.dirty() == []


def test_a_message_that_somebody_deleted_is_posted_anew(chat: SlackChat, sandbox: Sandbox) -> None:
    first = chat.upsert(channel=GENERAL, key="k", message=Message(text="one"), step_key="s1")
    sandbox.web.chat_delete(channel=first.channel, ts=first.ts)
    second = chat.upsert(channel=GENERAL, key="k", message=Message(text="two"), step_key="s2")
    assert second.ts != first.ts
    assert texts(sandbox) == ["two"]


def test_a_claim_during_a_send_is_shown_by_another_send(
    sandbox: Sandbox, stored: StoredMessages, chat: SlackChat
) -> None:
    ref = chat.upsert(channel=GENERAL, key="k", message=Message(text="0"), step_key="s")
    before = stored.want("k", GENERAL, Message(text="1"))
    stored.touch("k")  # somebody pressed a button while the send was on its way
    stored.sent("k", ref.channel, ref.ts, "hash", before.wanted_at)
    assert [message.key for message in stored.dirty()] == ["k"]


def test_what_slack_refuses_for_good_is_not_sent_for_ever(
    chat: SlackChat, sandbox: Sandbox, stored: StoredMessages
) -> None:
    chat.upsert(channel=GENERAL, key="k", message=Message(text="0"), step_key="s")
    stored.want("k", GENERAL, Message(text="1"))
    fault(sandbox, "chat.update", error="is_archived")
    assert chat.flush() == 0
    assert stored.dirty() == []
    chat.upsert(channel=GENERAL, key="k", message=Message(text="2"), step_key="s")
    assert texts(sandbox) == ["2"]


# --- calls that were cut off -------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [{"drop_after": True}, {"half_body": True}])
def test_a_post_that_was_cut_off_is_found_by_its_step(
    chat: SlackChat, sandbox: Sandbox, lost: dict[str, bool]
) -> None:
    fault(sandbox, "chat.postMessage", **lost)
    with pytest.raises(Transient):
        chat.post(channel=GENERAL, message=HELLO, step_key="s1")
    found = chat.reconcile_post(channel=GENERAL, message=HELLO, step_key="s1")
    assert found is not None
    assert [found.ts] == [message["ts"] for message in sandbox.messages()]
    assert chat.reconcile_post(channel=GENERAL, message=HELLO, step_key="other") is None


def test_a_reply_in_a_thread_that_was_cut_off_is_found(chat: SlackChat, sandbox: Sandbox) -> None:
    parent = chat.post(channel=GENERAL, message=HELLO, step_key="p")
    fault(sandbox, "chat.postMessage", drop_after=True)
    with pytest.raises(Transient):
        chat.post(channel=GENERAL, message=HELLO, step_key="s1", thread=parent)
    assert chat.reconcile_post(channel=GENERAL, message=HELLO, step_key="s1", thread=parent) is not None


def test_a_living_message_whose_first_post_was_cut_off_is_adopted(chat: SlackChat, sandbox: Sandbox) -> None:
    wanted: dict[str, Any] = {"channel": "#general", "key": "k", "message": HELLO}
    fault(sandbox, "chat.postMessage", drop_after=True)
    with pytest.raises(Transient):
        chat.upsert(**wanted, step_key="s1")
    found = chat.reconcile_upsert(**wanted, step_key="s1")
    assert found is not None
    assert chat.upsert(channel="#general", key="k", message=Message(text="later"), step_key="s2") == found
    assert texts(sandbox) == ["later"]


@pytest.mark.parametrize("who", ["another event", "flush"])
def test_a_first_post_that_was_cut_off_is_found_by_whoever_is_next(
    chat: SlackChat, sandbox: Sandbox, who: str
) -> None:
    """Its own retry may come later than another event about the same thing."""
    fault(sandbox, "chat.postMessage", drop_after=True)
    with pytest.raises(Transient):
        chat.upsert(channel=GENERAL, key="k", message=Message(text="1"), step_key="s1")
    if who == "flush":
        chat.flush()
    else:
        chat.upsert(channel=GENERAL, key="k", message=Message(text="2"), step_key="s2")
    assert texts(sandbox) == ["1" if who == "flush" else "2"]


# --- answers to people -------------------------------------------------------------------------------


def test_an_answer_goes_through_the_response_url_to_one_person(chat: SlackChat, sandbox: Sandbox) -> None:
    assert chat.reply(to=command(sandbox), message=Message(text="pong"), step_key="s")
    assert texts(sandbox, user=ALICE) == ["pong"]
    assert texts(sandbox, user=BOB) == []


def test_an_answer_that_was_cut_off_is_not_seen_twice(chat: SlackChat, sandbox: Sandbox) -> None:
    to = command(sandbox)
    fault(sandbox, "response_url", drop_after=True)
    with pytest.raises(Transient):
        chat.reply(to=to, message=Message(text="pong"), step_key="s")
    assert chat.reconcile_reply(to=to, message=Message(text="pong"), step_key="s") is True
    assert texts(sandbox) == ["pong"]


def test_a_used_up_response_url_gives_way_to_the_channel(chat: SlackChat, sandbox: Sandbox) -> None:
    to = command(sandbox)
    for number in range(6):
        chat.reply(to=to, message=Message(text=str(number)), step_key="s")
    assert texts(sandbox) == ["0", "1", "2", "3", "4", "5"]
    assert texts(sandbox, user=BOB) == []


def test_a_response_url_elsewhere_is_never_called(chat: SlackChat, sandbox: Sandbox) -> None:
    to = ReplyTo(channel=GENERAL, user=ALICE, response_url="http://127.0.0.1:1/metadata")
    with pytest.raises(Permanent, match="does not belong to Slack"):
        chat.reply(to=to, message=HELLO, step_key="s")


def test_who_filed_a_form_without_a_channel_is_answered_directly(chat: SlackChat, sandbox: Sandbox) -> None:
    chat.reply(to=ReplyTo(channel="", user=ALICE), message=Message(text="saved"), step_key="s")
    assert texts(sandbox, "D0SBALICE") == ["saved"]


# --- long texts --------------------------------------------------------------------------------------

LONG = Message(text="log", blocks=(Code(text="line <&>\n" * 3000, filename="out.log"),))


def test_a_long_text_is_uploaded_whole_into_the_thread(chat: SlackChat, sandbox: Sandbox) -> None:
    ref = chat.post(channel=GENERAL, message=LONG, step_key="s")
    [upload] = [message for message in sandbox.messages() if message.get("files")]
    assert upload["thread_ts"] == ref.ts
    content = sandbox.http.get(f"{sandbox.url}/page/slack/files/{upload['files'][0]['id']}").text
    assert content == "line <&>\n" * 3000


def test_an_upload_that_fails_is_said_and_posts_nothing_twice(chat: SlackChat, sandbox: Sandbox) -> None:
    fault(sandbox, "files.getUploadURLExternal", status=429)
    chat.upsert(channel=GENERAL, key="k", message=LONG, step_key="s")
    chat.upsert(channel=GENERAL, key="k", message=LONG, step_key="s")
    shown = sandbox.messages()
    assert [message["text"] for message in shown if message["text"] == "log"] == ["log"]
    assert any("out.log could not be uploaded" in message["text"] for message in shown)


def test_an_answer_does_not_promise_a_file_that_nobody_uploads(chat: SlackChat, sandbox: Sandbox) -> None:
    chat.reply(to=command(sandbox), message=LONG, step_key="s")
    [shown] = sandbox.messages()
    note = shown["blocks"][-1]["elements"][0]["text"]
    assert "cut here" in note
    assert "thread" not in note


# --- uploads -----------------------------------------------------------------------------------------


def upload(chat: SlackChat, thread: MessageRef | None = None) -> dict[str, Any]:
    return {
        "channel": GENERAL,
        "filename": "graph.png",
        "content": b"\x89PNG",
        "title": "A graph",
        "thread": thread,
    }


@pytest.mark.parametrize("threaded", [True, False])
def test_an_upload_that_was_cut_off_is_found_again(chat: SlackChat, sandbox: Sandbox, threaded: bool) -> None:
    thread = chat.post(channel=GENERAL, message=HELLO, step_key="m") if threaded else None
    assert chat.reconcile_upload(**upload(chat, thread), step_key="s") is None
    made = chat.upload(**upload(chat, thread), step_key="s")
    assert chat.reconcile_upload(**upload(chat, thread), step_key="s") == made
    assert chat.reconcile_upload(**upload(chat, thread), step_key="other") is None


# --- what goes wrong ---------------------------------------------------------------------------------


def test_retry_after_is_passed_on_and_honoured(chat: SlackChat, sandbox: Sandbox) -> None:
    fault(sandbox, "chat.postMessage", status=429, retry_after=7)
    with pytest.raises(Throttled) as told:
        chat.post(channel=GENERAL, message=HELLO, step_key="s")
    assert told.value.retry_after == 7
    with pytest.raises(Throttled) as kept:  # the fault is used up: this is our own restraint
        chat.post(channel=GENERAL, message=HELLO, step_key="s")
    assert 0 < (kept.value.retry_after or 0) <= 7
    assert texts(sandbox) == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("channel_not_found", "invite the bot to the channel"),
        ("token_revoked", "set SLACK_BOT_TOKEN anew"),
        ("missing_scope", "add the scope"),
        ("invalid_blocks", "chat.postMessage: invalid_blocks"),
    ],
)
def test_a_permanent_error_says_what_to_do(chat: SlackChat, sandbox: Sandbox, error: str, words: str) -> None:
    fault(sandbox, "chat.postMessage", error=error)
    with pytest.raises(Permanent, match=words):
        chat.post(channel=GENERAL, message=HELLO, step_key="s")


@pytest.mark.parametrize("plan", [{"status": 500}, {"error": "internal_error"}])
def test_slack_down_is_worth_another_try(chat: SlackChat, sandbox: Sandbox, plan: dict[str, Any]) -> None:
    fault(sandbox, "chat.postMessage", **plan)
    with pytest.raises(Transient) as told:
        chat.post(channel=GENERAL, message=HELLO, step_key="s")
    assert not isinstance(told.value, Throttled)
    chat.post(channel=GENERAL, message=HELLO, step_key="s")
    assert texts(sandbox) == ["hello"]


# --- who and what there is ---------------------------------------------------------------------------


def test_channels_are_known_by_name(chat: SlackChat, sandbox: Sandbox) -> None:
    assert chat.post(channel="#support", message=HELLO, step_key="s").channel == SUPPORT
    with pytest.raises(Permanent, match="no channel #nowhere"):
        chat.post(channel="#nowhere", message=HELLO, step_key="s")


def test_groups_of_a_person_are_looked_up_once(chat: SlackChat, sandbox: Sandbox) -> None:
    assert chat.groups_of(ALICE) == {"admins", "support"}
    fault(sandbox, "usergroups.list", status=500, times=9)
    assert chat.groups_of(BOB) == {"oncall"}
    assert chat.groups_of("U0NOBODY") == frozenset()


def test_health_says_what_is_wrong(sandbox: Sandbox, stored: StoredMessages, chat: SlackChat) -> None:
    assert chat.health().status == "ok"
    refused = chat_of(sandbox, stored, "xoxb-wrong").health()
    assert (refused.status, "SLACK_BOT_TOKEN" in refused.detail) == ("down", True)
    assert "xoxb-wrong" not in refused.detail


def test_buttons_arrive_with_their_opaque_id(chat: SlackChat, sandbox: Sandbox) -> None:
    press = Button(text="Press", action="toy:press", id="b1", expires_in=timedelta(days=1))
    chat.post(
        channel=GENERAL,
        message=Message(text="t", blocks=(Section(text="x"), Actions(elements=(press,)))),
        step_key="s",
    )
    [strip] = [block for block in sandbox.messages()[0]["blocks"] if block["type"] == "actions"]
    assert (strip["elements"][0]["action_id"], strip["elements"][0]["value"]) == ("toy:press#b1", "b1")


def test_a_home_tab_replaces_the_one_before(sandbox: Sandbox, chat: SlackChat) -> None:
    for text in ("first", "second"):
        shown = Message(text="Home", blocks=(Section(text=f"{text} <!channel>"),))
        chat.publish_home(user=ALICE, message=shown, step_key=text)
    home = str(sandbox.look(ALICE)["home"])
    assert "second" in home
    assert "first" not in home
    assert "<!channel>" not in home
    assert sandbox.look(BOB)["home"] is None
