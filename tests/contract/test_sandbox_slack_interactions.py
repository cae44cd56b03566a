"""Buttons, modals and their short-lived handles."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Response
from fastapi.responses import JSONResponse
from sandbox_slack_kit import ALICE, BOB, GENERAL, Heard, Sandbox, button, modal, running
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

pytestmark = pytest.mark.contract


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running(rate_limits=False) as started:
        yield started


def click(sandbox: Sandbox, ts: str, user: str = BOB, action_id: str = "go", **more: Any) -> dict[str, Any]:
    where = {"user": user, "channel": GENERAL, "ts": ts}
    sandbox.page("click", **where, block_id="strip", action_id=action_id, **more)
    return sandbox.bot.of("block_actions")[-1].body


def posted(sandbox: Sandbox, *blocks: dict[str, Any]) -> str:
    return str(sandbox.web.chat_postMessage(channel=GENERAL, text="t", blocks=list(blocks))["ts"])


def opened(sandbox: Sandbox, user: str = ALICE, **more: Any) -> dict[str, Any]:
    """A modal, opened by a command as a bot does."""
    sandbox.page("say", user=user, channel=GENERAL, text="/signalbox ask")
    trigger_id = sandbox.bot.of("command")[-1].body["trigger_id"]
    return dict(sandbox.web.views_open(trigger_id=trigger_id, view=modal(**more))["view"])


def submit(sandbox: Sandbox, view: dict[str, Any], typed: str = "Ada") -> dict[str, Any]:
    return sandbox.page("submit", user=ALICE, view_id=view["id"], values={"name": {"typed": typed}})


def stack(sandbox: Sandbox) -> list[str]:
    return [view["title"]["text"] for view in sandbox.look()["views"]]


def answering(**answer: Any) -> Any:
    def answer_submission(heard: Heard) -> Response | None:
        return JSONResponse(answer) if heard.type == "view_submission" else None

    return answer_submission


def test_a_click_is_a_block_actions_payload_with_its_message(sandbox: Sandbox) -> None:
    ts = posted(sandbox, button())
    payload = click(sandbox, ts)
    assert payload["user"]["id"] == BOB
    assert payload["actions"][0] | {"action_ts": ""} == {
        "type": "button",
        "block_id": "strip",
        "action_id": "go",
        "text": {"type": "plain_text", "text": "Go"},
        "value": "v1",
        "action_ts": "",
    }
    assert payload["container"]["message_ts"] == payload["message"]["ts"] == ts
    assert payload["channel"] == {"id": GENERAL, "name": "general"}


def test_the_response_url_of_a_click_edits_the_clicked_message(sandbox: Sandbox) -> None:
    ts = posted(sandbox, button())
    url = WebhookClient(click(sandbox, ts)["response_url"])
    url.send(text="taken by bob", replace_original=True)
    assert [(m["ts"], m["text"]) for m in sandbox.messages()] == [(ts, "taken by bob")]
    assert "blocks" not in sandbox.messages()[0]
    url.send(text="only for you")
    assert sandbox.messages(user=BOB)[-1]["ephemeral_for"] == BOB
    url.send(delete_original=True)
    assert [m["text"] for m in sandbox.messages()] == []


def test_an_ephemeral_message_is_replaced_through_its_click_alone(sandbox: Sandbox) -> None:
    ts = sandbox.web.chat_postEphemeral(channel=GENERAL, user=BOB, text="sure?", blocks=[button()])[
        "message_ts"
    ]
    payload = click(sandbox, ts)
    assert payload["container"]["is_ephemeral"] is True
    assert "message" not in payload
    WebhookClient(payload["response_url"]).send(text="done", replace_original=True)
    assert [m["text"] for m in sandbox.messages(user=BOB)] == ["done"]
    refused = sandbox.http.post(
        f"{sandbox.url}/page/slack/click",
        json={"user": ALICE, "channel": GENERAL, "ts": ts, "block_id": "strip", "action_id": "go"},
    )
    assert refused.status_code == 404


def test_choices_in_a_message_travel_as_its_state(sandbox: Sandbox) -> None:
    options = [{"text": {"type": "plain_text", "text": t}, "value": t.lower()} for t in ("Red", "Blue")]
    strip = button()
    strip["elements"].append({"type": "static_select", "action_id": "colour", "options": options})
    ts = posted(sandbox, strip)
    chosen = click(sandbox, ts, action_id="colour", selected_option="blue")
    assert chosen["actions"][0]["selected_option"] == options[1]
    state = click(sandbox, ts)["state"]["values"]
    assert state["strip"]["colour"] == {"type": "static_select", "selected_option": options[1]}


def test_a_click_on_what_was_replaced_is_told_so(sandbox: Sandbox) -> None:
    ts = posted(sandbox, button())
    sandbox.web.chat_update(channel=GENERAL, ts=ts, text="gone")
    body = {"user": BOB, "channel": GENERAL, "ts": ts, "block_id": "strip", "action_id": "go"}
    refused = sandbox.http.post(f"{sandbox.url}/page/slack/click", json=body)
    assert refused.status_code == 404
    assert "it may have been replaced" in refused.json()["detail"]


def test_a_failed_click_is_told_to_the_clicker(sandbox: Sandbox) -> None:
    ts = posted(sandbox, button())
    sandbox.bot.answer = lambda _heard: Response(status_code=500)
    click(sandbox, ts)
    assert "dispatch_failed" in sandbox.messages(user=BOB)[-1]["text"]


def test_a_trigger_opens_one_view(sandbox: Sandbox) -> None:
    trigger_id = click(sandbox, posted(sandbox, button()))["trigger_id"]
    sandbox.web.views_open(trigger_id=trigger_id, view=modal())
    with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
        sandbox.web.views_open(trigger_id=trigger_id, view=modal())
    with pytest.raises(SlackApiError, match="invalid_trigger_id"):
        sandbox.web.views_open(trigger_id="1.2.3", view=modal())
    assert sandbox.look(BOB)["views"][0]["callback_id"] == "ask"
    assert sandbox.look(ALICE)["views"] == []


def test_a_submission_carries_typed_values_and_closes_the_view(sandbox: Sandbox) -> None:
    view = opened(sandbox, private_metadata="ticket-7")
    assert submit(sandbox, view)["errors"] == {}
    payload = sandbox.bot.of("view_submission")[0].body["view"]
    assert payload["state"]["values"] == {"name": {"typed": {"type": "plain_text_input", "value": "Ada"}}}
    assert payload["private_metadata"] == "ticket-7"
    assert stack(sandbox) == []


def test_a_required_input_is_asked_for_before_the_bot_hears_of_it(sandbox: Sandbox) -> None:
    view = opened(sandbox)
    assert submit(sandbox, view, typed="")["errors"] == {"name": "Please complete this required field."}
    assert sandbox.bot.of("view_submission") == []


def test_response_actions_are_followed(sandbox: Sandbox) -> None:
    view = opened(sandbox)
    sandbox.bot.answer = answering(response_action="errors", errors={"name": "taken"})
    assert submit(sandbox, view)["errors"] == {"name": "taken"}
    sandbox.bot.answer = answering(response_action="update", view=modal(title=_plain("Updated")))
    submit(sandbox, view)
    assert stack(sandbox) == ["Updated"]
    sandbox.bot.answer = answering(response_action="push", view=modal(title=_plain("On top")))
    submit(sandbox, view)
    assert stack(sandbox) == ["Updated", "On top"]
    sandbox.bot.answer = answering(response_action="clear")
    submit(sandbox, view)
    assert stack(sandbox) == []


def test_a_refused_answer_to_a_submission_is_shown_in_the_view(sandbox: Sandbox) -> None:
    view = opened(sandbox)
    sandbox.bot.answer = answering(response_action="update", view={"type": "modal"})
    assert "refused by Slack" in submit(sandbox, view)["errors"][""]
    sandbox.bot.answer = lambda _heard: Response(status_code=500)
    assert "trouble connecting" in submit(sandbox, view)["errors"][""]


def test_views_update_keeps_what_was_typed_and_minds_the_hash(sandbox: Sandbox) -> None:
    view = opened(sandbox)
    click_in_view = {"user": ALICE, "view_id": view["id"], "block_id": "name", "action_id": "typed"}
    sandbox.page("click", **click_in_view, value="half a na")
    updated = sandbox.web.views_update(view_id=view["id"], hash=view["hash"], view=modal(title=_plain("New")))
    assert updated["view"]["state"]["values"]["name"]["typed"]["value"] == "half a na"
    with pytest.raises(SlackApiError, match="hash_conflict"):
        sandbox.web.views_update(view_id=view["id"], hash=view["hash"], view=modal())
    with pytest.raises(SlackApiError, match="not_found"):
        sandbox.web.views_update(view_id="V404", view=modal())


def test_three_views_are_the_most(sandbox: Sandbox) -> None:
    strip = button("more")
    view = opened(sandbox, blocks=[strip], external_id="ext-1")
    for depth in range(2, 5):
        place = {"user": ALICE, "view_id": view["id"], "block_id": "strip", "action_id": "more"}
        sandbox.page("click", **place)
        trigger_id = sandbox.bot.of("block_actions")[-1].body["trigger_id"]
        if depth == 4:
            with pytest.raises(SlackApiError, match="push_limit_reached"):
                sandbox.web.views_push(trigger_id=trigger_id, view=modal())
        else:
            view = sandbox.web.views_push(trigger_id=trigger_id, view=modal(blocks=[strip]))["view"]
    assert len(stack(sandbox)) == 3


def test_closing_is_told_when_asked_for(sandbox: Sandbox) -> None:
    quiet = opened(sandbox)
    sandbox.page("close", user=ALICE, view_id=quiet["id"])
    loud = opened(sandbox, notify_on_close=True)
    sandbox.page("close", user=ALICE, view_id=loud["id"])
    closed = sandbox.bot.of("view_closed")
    assert [(h.body["view"]["id"], h.body["is_cleared"]) for h in closed] == [(loud["id"], False)]
    assert stack(sandbox) == []


def test_an_invalid_view_is_refused_with_pointers(sandbox: Sandbox) -> None:
    with pytest.raises(SlackApiError) as caught:
        opened(sandbox, title=_plain("x" * 25))
    assert caught.value.response["error"] == "invalid_arguments"
    assert "/view/title/text" in caught.value.response["response_metadata"]["messages"][0]


def test_shortcuts_and_external_options(sandbox: Sandbox) -> None:
    sandbox.page("shortcut", user=ALICE, callback_id="new-ticket")
    assert sandbox.bot.of("shortcut")[0].body["callback_id"] == "new-ticket"
    select = {"type": "external_select", "action_id": "who"}
    ts = posted(sandbox, {"type": "actions", "block_id": "strip", "elements": [select]})
    sandbox.page("shortcut", user=ALICE, callback_id="on-message", channel=GENERAL, ts=ts)
    assert sandbox.bot.of("message_action")[0].body["message"]["ts"] == ts
    offered = [{"text": _plain("Ada"), "value": "ada"}]
    sandbox.bot.answer = lambda h: (
        JSONResponse({"options": offered}) if h.type == "block_suggestion" else None
    )
    place = {"user": ALICE, "channel": GENERAL, "ts": ts, "block_id": "strip", "action_id": "who"}
    assert sandbox.page("options", **place, value="ad")["options"] == offered
    assert sandbox.bot.of("block_suggestion")[0].body["value"] == "ad"


def test_a_message_shortcut_has_slacks_shape(sandbox: Sandbox) -> None:
    """docs.slack.dev, interaction payloads: shortcuts; trigger and response URL work."""
    ts = sandbox.page("say", user=BOB, channel=GENERAL, text="It is <broken>")["ts"]
    sandbox.page("shortcut", user=ALICE, callback_id="autotag:file", channel=GENERAL, ts=ts)
    body = sandbox.bot.of("message_action")[-1].body
    assert set(body) >= {
        "type", "token", "action_ts", "team", "user", "channel", "callback_id", "trigger_id", "message_ts",
        "message", "response_url", "is_enterprise_install", "enterprise",
    }  # fmt: skip
    assert not set(body) & {"container", "state", "actions"}
    assert (body["callback_id"], body["message_ts"]) == ("autotag:file", ts)
    assert body["user"]["id"] == ALICE
    assert (body["message"]["user"], body["message"]["text"]) == (BOB, "It is &lt;broken&gt;")
    assert body["channel"] == {"id": GENERAL, "name": "general"}
    assert (
        sandbox.web.views_open(trigger_id=body["trigger_id"], view=modal())["view"]["title"]["text"] == "Ask"
    )
    answer = {"text": "Taken.", "replace_original": True, "response_type": "ephemeral"}
    assert sandbox.http.post(body["response_url"], json=answer).status_code == 200
    shown = {message["ts"]: message["text"] for message in sandbox.messages()}
    assert shown[ts] == "It is &lt;broken&gt;", "an app may not replace what a person said"
    assert list(shown.values())[-1] == "Taken."


def test_a_shortcut_that_is_not_answered_tells_the_person(sandbox: Sandbox) -> None:
    ts = sandbox.page("say", user=BOB, channel=GENERAL, text="Hello")["ts"]
    sandbox.bot.answer = lambda h: Response(status_code=500) if h.type == "message_action" else None
    sandbox.page("shortcut", user=ALICE, callback_id="autotag:file", channel=GENERAL, ts=ts)
    last = sandbox.messages()[-1]
    assert last["ephemeral_for"] == ALICE
    assert "trouble connecting" in last["text"]


def test_the_menus_entries_come_from_the_manifest(tmp_path: Path) -> None:
    file = tmp_path / "manifest.json"
    entry = {"name": "Keep this", "type": "message", "callback_id": "toy:keep", "description": "Keeps it."}
    with running(slack_manifest=file) as sandbox:
        assert sandbox.look()["shortcuts"] == []
        file.write_text(json.dumps({"features": {"shortcuts": [entry, {**entry, "type": "global"}]}}))
        assert sandbox.look()["shortcuts"] == [entry]
        file.write_text("{")
        assert sandbox.look()["shortcuts"] == [entry], "what can't be read changes nothing"


def _plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}
