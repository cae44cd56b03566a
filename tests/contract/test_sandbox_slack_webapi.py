"""The official WebClient, unchanged, against the Slack stand-in."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_slack_kit import ALICE, BOT, GENERAL, SUPPORT, Sandbox, button, running
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from slack_sdk.models.blocks import ActionsBlock, ButtonElement, SectionBlock
from slack_sdk.models.metadata import Metadata
from slack_sdk.web.async_client import AsyncWebClient

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with running(rate_limits=False) as sandbox:
        yield sandbox


def refused(error: str) -> "pytest.RaisesExc[SlackApiError]":
    return pytest.raises(SlackApiError, check=lambda exc: exc.response["error"] == error)


def test_auth_test_names_the_bot_and_its_scopes(shared: Sandbox) -> None:
    answer = shared.web.auth_test()
    assert answer["user_id"] == BOT
    assert "chat:write" in answer.headers["x-oauth-scopes"].split(",")


@pytest.mark.parametrize(("token", "error"), [("", "not_authed"), ("xoxb-wrong", "invalid_auth")])
def test_a_wrong_token_is_refused(shared: Sandbox, token: str, error: str) -> None:
    with refused(error):
        WebClient(token, base_url=shared.web.base_url).auth_test()


def test_each_token_opens_only_its_own_methods(shared: Sandbox) -> None:
    with refused("not_allowed_token_type"):
        WebClient("xapp-sandbox", base_url=shared.web.base_url).auth_test()
    with refused("not_allowed_token_type"):
        shared.web.apps_connections_open(app_token="xoxb-sandbox")


def test_an_unknown_method_is_said(shared: Sandbox) -> None:
    with refused("unknown_method"):
        shared.web.api_call("chat.sing")


def test_models_metadata_and_history_round_trip(shared: Sandbox) -> None:
    blocks = [
        SectionBlock(text="*bold* & <raw>"),
        ActionsBlock(elements=[ButtonElement(text="Go", value="1")]),
    ]
    metadata = Metadata("step", {"key": "k-1"})
    posted = shared.web.chat_postMessage(channel=SUPPORT, text="a < b", blocks=blocks, metadata=metadata)
    seen = shared.web.conversations_history(
        channel=SUPPORT, latest=posted["ts"], inclusive=True, limit=1, include_all_metadata=True
    )["messages"][0]
    assert seen["text"] == "a < b"
    assert seen["metadata"] == {"event_type": "step", "event_payload": {"key": "k-1"}}
    assert all(block["block_id"] for block in seen["blocks"])
    assert seen["blocks"][1]["elements"][0]["action_id"]
    without = shared.web.conversations_history(channel=SUPPORT, latest=posted["ts"], inclusive=True, limit=1)
    assert "metadata" not in without["messages"][0]


def test_a_form_with_blocks_as_a_string_is_the_same_call(shared: Sandbox) -> None:
    answer = shared.http.post(
        f"{shared.url}/slack/api/chat.postMessage",
        data={"token": "xoxb-sandbox", "channel": "#general", "text": "t", "blocks": '[{"type":"divider"}]'},
    ).json()
    assert answer["ok"] is True
    assert answer["message"]["blocks"][0]["type"] == "divider"


def test_threads_are_counted_and_kept_out_of_history(shared: Sandbox) -> None:
    parent = shared.web.chat_postMessage(channel=GENERAL, text="parent")["ts"]
    replies = [shared.web.chat_postMessage(channel=GENERAL, text=t, thread_ts=parent)["ts"] for t in "ab"]
    found = shared.web.conversations_replies(channel=GENERAL, ts=parent)["messages"]
    assert [m["ts"] for m in found] == [parent, *replies]
    assert found[0]["reply_count"] == 2
    history = shared.web.conversations_history(channel=GENERAL)["messages"]
    assert not {m["ts"] for m in history} & set(replies)


def test_update_replaces_and_text_alone_drops_the_blocks(shared: Sandbox) -> None:
    ts = shared.web.chat_postMessage(channel=GENERAL, text="one", blocks=[button()])["ts"]
    updated = shared.web.chat_update(channel=GENERAL, ts=ts, text="two")["message"]
    assert updated["text"] == "two"
    assert updated["edited"]["user"] == BOT
    assert "blocks" not in updated
    shared.web.chat_delete(channel=GENERAL, ts=ts)
    with refused("message_not_found"):
        shared.web.chat_update(channel=GENERAL, ts=ts, text="three")


def test_update_wants_the_bots_own_message_and_a_channel_id(shared: Sandbox) -> None:
    ts = shared.page("say", user=ALICE, channel=GENERAL, text="mine")["ts"]
    with refused("cant_update_message"):
        shared.web.chat_update(channel=GENERAL, ts=ts, text="ours")
    with refused("cant_delete_message"):
        shared.web.chat_delete(channel=GENERAL, ts=ts)
    with refused("channel_not_found"):
        shared.web.chat_update(channel="#general", ts=ts, text="ours")


def test_refusals_carry_slacks_codes(shared: Sandbox) -> None:
    long_section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}
    with refused("channel_not_found"):
        shared.web.chat_postMessage(channel="C404", text="t")
    with refused("no_text"):
        shared.web.chat_postMessage(channel=GENERAL)
    with refused("msg_too_long"):
        shared.web.chat_postMessage(channel=GENERAL, text="x" * 40_001)
    with refused("invalid_blocks_format"):
        shared.web.chat_postMessage(channel=GENERAL, text="t", blocks="{")
    with refused("invalid_metadata_format"):
        shared.web.chat_postMessage(channel=GENERAL, text="t", metadata={"event_type": 1})
    with refused("thread_not_found"):
        shared.web.chat_postMessage(channel=GENERAL, text="t", thread_ts="1.000001")
    with refused("invalid_blocks") as caught:
        shared.web.chat_postMessage(channel=GENERAL, text="t", blocks=[long_section])
    told = caught.value.response["response_metadata"]["messages"]
    assert told == ["[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("{", "invalid_json"),
        ("[]", "json_not_object"),
        ('{"channel": "C0GENERAL", "metadata": NaN}', "invalid_json"),
        ('{"channel": "C0GENERAL", "text": "\\ud800"}', "invalid_json"),
        ('{"channel": ["C0GENERAL"], "text": "t"}', "channel_not_found"),
        ('{"channel": "C0GENERAL", "attachments": ["text"]}', "invalid_attachments"),
        ('{"channel": "C0GENERAL", "blocks": [{"type": "section", "block_id": ["b"]}]}', "invalid_blocks"),
    ],
)
def test_a_malformed_body_is_refused(shared: Sandbox, body: str, error: str) -> None:
    headers = {"authorization": "Bearer xoxb-sandbox", "content-type": "application/json; charset=utf-8"}
    url = f"{shared.url}/slack/api/chat.postMessage"
    assert shared.http.post(url, content=body, headers=headers).json()["error"] == error


def test_an_ephemeral_message_is_seen_by_one_person_and_never_in_history(shared: Sandbox) -> None:
    ts = shared.web.chat_postEphemeral(channel=GENERAL, user=ALICE, text="psst")["message_ts"]
    assert any(m["ts"] == ts and m["ephemeral_for"] == ALICE for m in shared.messages())
    assert not any(m["ts"] == ts for m in shared.messages(user="U0SBBOB00"))
    assert not any(m["ts"] == ts for m in shared.web.conversations_history(channel=GENERAL)["messages"])
    with refused("message_not_found"):
        shared.web.chat_update(channel=GENERAL, ts=ts, text="louder")


def test_history_pages_with_cursors_and_bounds(shared: Sandbox) -> None:
    sent = [shared.web.chat_postMessage(channel="#digest", text=str(n))["ts"] for n in range(5)]
    pages = shared.web.conversations_history(channel="C0DIGEST0", limit=2)
    seen = [message["ts"] for page in pages for message in page["messages"]]
    assert seen == sent[::-1]
    between = shared.web.conversations_history(channel="C0DIGEST0", oldest=sent[1], latest=sent[3])
    assert [m["ts"] for m in between["messages"]] == [sent[2]]


def test_the_seeded_workspace(shared: Sandbox) -> None:
    names = {c["name"] for c in shared.web.conversations_list()["channels"]}
    assert names == {"support", "alerts", "churn", "digest", "general"}
    people = {u["name"]: u for u in shared.web.users_list()["members"]}
    assert people["alice"]["is_admin"] is True
    assert people["signalbox"]["is_bot"] is True
    groups = {g["handle"]: g["users"] for g in shared.web.usergroups_list(include_users=True)["usergroups"]}
    assert groups["admins"] == [ALICE]
    oncall = next(g["id"] for g in shared.web.usergroups_list()["usergroups"] if g["handle"] == "oncall")
    assert shared.web.usergroups_users_list(usergroup=oncall)["users"] == ["U0SBBOB00"]
    assert ALICE in shared.web.conversations_members(channel=GENERAL)["members"]
    assert shared.web.users_info(user=ALICE)["user"]["profile"]["email"] == "alice@sandbox.invalid"
    direct = shared.web.conversations_open(users=ALICE)["channel"]["id"]
    assert shared.web.conversations_info(channel=direct)["channel"]["is_im"] is True


def test_reactions_and_permalinks(shared: Sandbox) -> None:
    ts = shared.web.chat_postMessage(channel=GENERAL, text="react")["ts"]
    shared.web.reactions_add(channel=GENERAL, timestamp=ts, name="eyes")
    with refused("already_reacted"):
        shared.web.reactions_add(channel=GENERAL, timestamp=ts, name="eyes")
    shown = next(m for m in shared.messages() if m["ts"] == ts)
    assert shown["reactions"] == [{"name": "eyes", "users": [BOT], "count": 1}]
    link = shared.web.chat_getPermalink(channel=GENERAL, message_ts=ts)["permalink"]
    assert link == f"{shared.url}/archives/{GENERAL}/p{ts.replace('.', '')}"
    assert shared.http.get(link).headers["location"] == f"/?channel={GENERAL}&ts={ts}"


def test_a_file_goes_up_in_three_steps_and_comes_down_again(shared: Sandbox) -> None:
    sent = shared.web.files_upload_v2(
        channel=GENERAL,
        content="long output",
        filename="out.html",
        title="Output",
        initial_comment="see file",
    )
    url = sent["file"]["url_private"]
    assert shared.http.get(url).status_code == 401
    down = shared.http.get(url, headers={"authorization": "Bearer xoxb-sandbox"})
    assert down.text == "long output"
    assert down.headers["content-disposition"].startswith("attachment")
    shown = shared.messages()[-1]
    assert shown["text"] == "see file"
    assert shared.http.get(shared.url + shown["files"][0]["page_url"]).text == "long output"


def test_the_async_client_posts_too(shared: Sandbox) -> None:
    async def post() -> str:
        client = AsyncWebClient("xoxb-sandbox", base_url=shared.web.base_url)
        return str((await client.chat_postMessage(channel=GENERAL, text="async"))["ts"])

    ts = asyncio.run(post())
    assert any(m["ts"] == ts for m in shared.messages())


def test_a_sixth_message_at_once_in_one_channel_is_told_to_wait() -> None:
    with running() as sandbox:
        for n in range(5):
            sandbox.web.chat_postMessage(channel=GENERAL, text=str(n))
        with refused("ratelimited") as caught:
            sandbox.web.chat_postMessage(channel=GENERAL, text="one too many")
        assert caught.value.response.status_code == 429
        assert int(caught.value.response.headers["Retry-After"]) >= 1
        sandbox.web.chat_postMessage(channel=SUPPORT, text="another channel has its own budget")
        sandbox.page("limits", enabled=False)
        sandbox.web.chat_postMessage(channel=GENERAL, text="limits are off")


def test_the_sdks_retry_handler_gets_through() -> None:
    with running(rate_limits=False) as sandbox:
        sandbox.page("faults", method="chat.postMessage", status=429, retry_after=1, times=1)
        sandbox.web.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=1))
        assert sandbox.web.chat_postMessage(channel=GENERAL, text="twice tried")["ok"]


def test_ordered_faults_hit_the_method_they_name(shared: Sandbox) -> None:
    shared.page("faults", method="chat.postMessage", status=500)
    with pytest.raises(SlackApiError, check=lambda exc: exc.response.status_code == 500):
        shared.web.chat_postMessage(channel=GENERAL, text="x")
    shared.page("faults", method="chat.postMessage", error="fatal_error")
    shared.web.auth_test()
    with refused("fatal_error"):
        shared.web.chat_postMessage(channel=GENERAL, text="x")
    shared.page("faults", method="chat.postMessage", drop_after=True)
    with pytest.raises(Exception, match="IncompleteRead"):
        shared.web.chat_postMessage(channel=GENERAL, text="cut off after it was posted")
    assert shared.messages()[-1]["text"] == "cut off after it was posted"
    assert shared.http.get(f"{shared.url}/page/slack/faults").json() == {"faults": []}


def test_the_state_survives_a_restart_and_a_corrupt_snapshot_is_set_aside(tmp_path: Path) -> None:
    with running(data_dir=tmp_path) as sandbox:
        sandbox.web.chat_postMessage(channel=GENERAL, text="kept")
        sandbox.web.files_upload_v2(channel=GENERAL, content="kept too", filename="a.txt")
    with running(data_dir=tmp_path) as sandbox:
        first, second = sandbox.messages()
        assert first["text"] == "kept"
        assert sandbox.http.get(sandbox.url + second["files"][0]["page_url"]).text == "kept too"
    (tmp_path / "slack.json").write_text("{broken")
    with running(data_dir=tmp_path) as sandbox:
        assert sandbox.messages() == []
    assert [p.read_text() for p in tmp_path.glob("slack.json.corrupt-*")] == ["{broken"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "OWN"}, 200),
        ({"host": "localhost:9"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://localhost:3000"}, 403),
        ({"host": "evil.example"}, 403),
        ({"host": "evil.example", "origin": "http://evil.example"}, 403),
        ({"host": "["}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/page/slack/state", "/slack/api/api.test"])
def test_other_sites_are_kept_out(shared: Sandbox, path: str, headers: dict[str, str], status: int) -> None:
    sent = {name: value.replace("OWN", shared.url) for name, value in headers.items()}
    assert shared.http.get(shared.url + path, headers=sent).status_code == status
