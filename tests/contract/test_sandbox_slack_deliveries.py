"""What the bot hears from the Slack stand-in: signed, in time, again when it failed."""

import asyncio
from collections.abc import Iterator

import pytest
from fastapi import Response
from fastapi.responses import JSONResponse
from sandbox_slack_kit import ALICE, BOT, GENERAL, Heard, Sandbox, running
from slack_sdk.webhook import WebhookClient
from standin_server import until

pytestmark = pytest.mark.contract

TIGHT = 0.3
"""Seconds until the ack deadline, in tests that run into it."""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running(rate_limits=False) as started:
        yield started


@pytest.fixture
def impatient() -> Iterator[Sandbox]:
    with running(rate_limits=False, ack_deadline_s=TIGHT) as started:
        yield started


async def too_late(_heard: Heard) -> Response:
    await asyncio.sleep(TIGHT * 3)
    return Response()


def command(sandbox: Sandbox, text: str = "/signalbox help") -> Heard:
    sandbox.page("say", user=ALICE, channel=GENERAL, text=text)
    return sandbox.bot.of("command")[-1]


def test_a_mention_is_two_events_with_two_ids_for_one_message(sandbox: Sandbox) -> None:
    said = sandbox.page("say", user=ALICE, channel=GENERAL, text="hi @signalbox & <all>")
    assert {d["kind"]: d["status"] for d in said["delivered"]} == {"app_mention": 200, "message": 200}
    mention, message = sandbox.bot.wait_for("app_mention")[0], sandbox.bot.wait_for("message")[0]
    assert mention.body["event_id"] != message.body["event_id"]
    for heard in (mention, message):
        event = heard.body["event"]
        assert (event["channel"], event["ts"], event["user"]) == (GENERAL, said["ts"], ALICE)
        assert event["text"] == f"hi <@{BOT}> &amp; &lt;all&gt;"
    assert message.body["event"]["channel_type"] == "channel"


def test_the_events_url_is_verified_once_before_the_first_event(sandbox: Sandbox) -> None:
    for text in ("one", "two"):
        sandbox.page("say", user=ALICE, channel=GENERAL, text=text)
    assert [h.type for h in sandbox.bot.heard] == ["url_verification", "message", "message"]


def test_a_slash_command_is_a_form_with_escaped_mentions(sandbox: Sandbox) -> None:
    heard = command(sandbox, "/signalbox why @bob in #alerts").body
    assert (heard["command"], heard["text"]) == ("/signalbox", "why <@U0SBBOB00|bob> in <#C0ALERTS0|alerts>")
    assert (heard["user_id"], heard["channel_id"], heard["channel_name"]) == (ALICE, GENERAL, "general")
    assert heard["trigger_id"]
    assert heard["response_url"].startswith(sandbox.url)


@pytest.mark.parametrize(
    ("answer", "text", "ephemeral_for"),
    [
        (Response("plain"), "plain", ALICE),
        (JSONResponse({"text": "json"}), "json", ALICE),
        (JSONResponse({"text": "to all", "response_type": "in_channel"}), "to all", None),
    ],
)
def test_the_body_of_an_ack_is_shown(
    sandbox: Sandbox, answer: Response, text: str, ephemeral_for: str | None
) -> None:
    sandbox.bot.answer = lambda _heard: answer
    command(sandbox)
    shown = sandbox.messages()[-1]
    assert (shown["text"], shown["ephemeral_for"]) == (text, ephemeral_for)


def test_a_late_command_shows_operation_timeout_and_is_not_sent_again(impatient: Sandbox) -> None:
    impatient.bot.answer = too_late
    said = impatient.page("say", user=ALICE, channel=GENERAL, text="/signalbox slow")
    assert said["delivered"][0]["error"] == "http_timeout"
    shown = impatient.messages()[-1]
    assert shown["text"] == '/signalbox failed with the error "operation_timeout"'
    assert shown["ephemeral_for"] == ALICE
    assert len(impatient.bot.of("command")) == 1


def test_a_failing_command_shows_dispatch_failed(sandbox: Sandbox) -> None:
    sandbox.bot.answer = lambda _heard: Response(status_code=500)
    command(sandbox)
    assert "dispatch_failed" in sandbox.messages()[-1]["text"]


def test_a_failed_event_comes_three_times_again_with_number_and_reason(sandbox: Sandbox) -> None:
    sandbox.bot.answer = lambda _heard: Response(status_code=503)
    sandbox.page("say", user=ALICE, channel=GENERAL, text="hello")
    heard = sandbox.bot.wait_for("message", 4)
    assert len({h.body["event_id"] for h in heard}) == 1
    assert [h.headers.get("x-slack-retry-num") for h in heard] == [None, "1", "2", "3"]
    assert {h.headers.get("x-slack-retry-reason") for h in heard[1:]} == {"http_error"}
    log = sandbox.http.get(f"{sandbox.url}/page/slack/deliveries").json()["deliveries"]
    assert [(d["attempt"], d["status"]) for d in log if d["kind"] == "message"][::-1] == [
        (n, 503) for n in range(4)
    ]


def test_a_late_event_is_redelivered_for_its_timeout_until_acknowledged(impatient: Sandbox) -> None:
    def once_late(heard: Heard) -> object:
        return too_late(heard) if "x-slack-retry-num" not in heard.headers else None

    impatient.bot.answer = once_late
    impatient.page("say", user=ALICE, channel=GENERAL, text="hello")
    again = impatient.bot.wait_for("message", 2)[1]
    assert again.headers["x-slack-retry-reason"] == "http_timeout"
    impatient.page("say", user=ALICE, channel=GENERAL, text="/signalbox ping")
    assert len(impatient.bot.of("message")) == 2


def test_no_retry_is_honoured(sandbox: Sandbox) -> None:
    sandbox.bot.answer = lambda h: (
        Response(status_code=500, headers={"x-slack-no-retry": "1"}) if h.type == "message" else None
    )
    sandbox.page("say", user=ALICE, channel=GENERAL, text="hello")
    command(sandbox)
    assert len(sandbox.bot.of("message")) == 1


def test_the_bot_hears_its_own_messages_and_their_changes() -> None:
    with running(rate_limits=False, echo_own_messages=True) as sandbox:
        ts = sandbox.web.chat_postMessage(channel=GENERAL, text="mine")["ts"]
        sandbox.web.chat_update(channel=GENERAL, ts=ts, text="mine, edited")
        sandbox.web.chat_delete(channel=GENERAL, ts=ts)
        events = {h.body["event"].get("subtype"): h.body["event"] for h in sandbox.bot.wait_for("message", 3)}
    assert events[None]["bot_id"] == "B0SIGNALB"
    assert events["message_changed"]["message"]["text"] == "mine, edited"
    assert events["message_changed"]["previous_message"]["text"] == "mine"
    assert events["message_deleted"]["deleted_ts"] == ts


def test_the_home_tab_is_an_event_with_the_published_view(sandbox: Sandbox) -> None:
    sandbox.page("home", user=ALICE)
    assert "view" not in sandbox.bot.wait_for("app_home_opened")[0].body["event"]
    sandbox.web.views_publish(user_id=ALICE, view={"type": "home", "blocks": [{"type": "divider"}]})
    assert sandbox.look()["home"]["blocks"][0]["type"] == "divider"
    sandbox.page("home", user=ALICE)
    assert sandbox.bot.wait_for("app_home_opened", 2)[1].body["event"]["view"]["type"] == "home"


def test_a_response_url_works_five_times(sandbox: Sandbox) -> None:
    url = WebhookClient(command(sandbox).body["response_url"])
    assert [url.send(text=str(n)).status_code for n in range(5)] == [200] * 5
    sixth = url.send(text="6")
    assert sixth.status_code == 404
    assert "used_url" in sixth.body
    assert [m["text"] for m in sandbox.messages()] == list("01234")
    assert all(m["ephemeral_for"] == ALICE for m in sandbox.messages())


def test_replace_original_of_a_command_replaces_what_this_url_sent_last(sandbox: Sandbox) -> None:
    url = WebhookClient(command(sandbox).body["response_url"])
    url.send(text="working", replace_original=True, response_type="in_channel")
    url.send(text="done", replace_original=True)
    assert [(m["text"], m["ephemeral_for"]) for m in sandbox.messages()] == [("done", None)]
    url.send(delete_original=True)
    assert sandbox.messages() == []


def test_a_response_url_refuses_what_slack_refuses(sandbox: Sandbox) -> None:
    url = WebhookClient(command(sandbox).body["response_url"])
    refused = url.send(text="t", blocks=[{"type": "hologram"}])
    assert refused.status_code == 400
    assert "invalid_blocks" in refused.body
    assert WebhookClient(f"{sandbox.url}/slack/response/nonsense").send(text="t").status_code == 404


def test_changes_reach_the_page_as_server_sent_events(sandbox: Sandbox) -> None:
    with sandbox.http.stream("GET", f"{sandbox.url}/page/stream") as stream:
        lines = (line for line in stream.iter_lines() if line.startswith("data:"))
        assert '"hello"' in next(lines)
        sandbox.web.chat_postMessage(channel=GENERAL, text="look")
        assert '"kind": "slack.message", "action": "posted"' in next(lines)


def test_a_bot_that_is_down_costs_the_person_a_notice(sandbox: Sandbox) -> None:
    with running(rate_limits=False) as other:
        dead = other.url
    with running(rate_limits=False, bot_url=dead) as orphan:
        said = orphan.page("say", user=ALICE, channel=GENERAL, text="/signalbox ping")
        assert said["delivered"][0]["error"] == "connection_failed"
        until(orphan.messages)
        assert "dispatch_failed" in orphan.messages()[-1]["text"]
