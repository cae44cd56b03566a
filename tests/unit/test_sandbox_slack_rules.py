"""The stand-in's rules as functions of values, with the clock in the test's hand."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier

from integrations.sandbox.changes import BACKLOG, Changes
from integrations.sandbox.slack import seed
from integrations.sandbox.slack.call import Call, SlackError
from integrations.sandbox.slack.callbacks import ResponseUrls, Triggers
from integrations.sandbox.slack.inputs import carried_state, entered, unanswered
from integrations.sandbox.slack.markup import encode
from integrations.sandbox.slack.rates import RateLimiter
from integrations.sandbox.slack.signing import signature_headers
from integrations.sandbox.slack.workspace import KEPT_MESSAGES, Message, State, Workspace

pytestmark = pytest.mark.unit


class Clock:
    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_a_trigger_lives_three_seconds() -> None:
    clock = Clock()
    triggers = Triggers(clock)
    in_time, late = triggers.mint("U1"), triggers.mint("U2")
    clock.now += 3.0
    assert triggers.exchange(in_time) == "U1"
    clock.now += 0.1
    with pytest.raises(SlackError, match="expired_trigger_id"):
        triggers.exchange(late)


def test_a_response_url_lives_thirty_minutes() -> None:
    clock = Clock()
    urls = ResponseUrls(clock, "http://sandbox/")
    address = urls.mint("U1", "C1")
    token = address.removeprefix("http://sandbox/slack/response/")
    clock.now += 30 * 60
    assert urls.use(token).user == "U1"
    clock.now += 1
    with pytest.raises(SlackError, match="expired_url"):
        urls.use(token)


def test_a_channel_takes_a_burst_and_then_one_message_a_second() -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    assert [limiter.wait_for("chat.postMessage", "C1") for _ in range(6)] == [0, 0, 0, 0, 0, pytest.approx(1)]
    assert limiter.wait_for("chat.postMessage", "C2") == 0
    clock.now += 1
    assert limiter.wait_for("chat.postMessage", "C1") == 0
    assert limiter.wait_for("chat.postMessage", "C1") > 0


@pytest.mark.parametrize(
    ("method", "a_minute"), [("users.list", 20), ("chat.update", 50), ("views.open", 100)]
)
def test_a_tier_allows_a_minutes_calls_at_once(method: str, a_minute: int) -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    assert all(limiter.wait_for(method) == 0 for _ in range(a_minute))
    assert limiter.wait_for(method) == pytest.approx(60 / a_minute)
    limiter.enabled = False
    assert limiter.wait_for(method) == 0


@given(st.lists(st.floats(min_value=0, max_value=5), max_size=60))
def test_no_pattern_of_calls_beats_the_budget(pauses: list[float]) -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    allowed = 0
    for pause in pauses:
        clock.now += pause
        allowed += limiter.wait_for("chat.postMessage", "C1") == 0
    assert allowed <= 5 + sum(pauses) + 1e-6


@given(st.text(st.characters(codec="utf-8"), max_size=200).map(str.encode))
def test_signatures_are_what_the_official_verifier_expects(body: bytes) -> None:
    clock = Clock()
    headers = signature_headers("s3cret", int(clock.now), body)
    verifier = SignatureVerifier("s3cret", clock=_SdkClock(clock))
    assert verifier.is_valid_request(body, headers)
    assert not verifier.is_valid_request(body + b"x", headers)


class _SdkClock:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock()


@pytest.mark.parametrize(
    ("typed", "message", "command"),
    [
        ("a < b & c", "a &lt; b &amp; c", "a &lt; b &amp; c"),
        ("@bob", "<@U0SBBOB00>", "<@U0SBBOB00|bob>"),
        ("#support", "<#C0SUPPORT>", "<#C0SUPPORT|support>"),
        ("@oncall", "<!subteam^S0ONCALL0>", "<!subteam^S0ONCALL0|@oncall>"),
        ("@here", "<!here>", "<!here>"),
        ("me@bob.example @nobody", "me@bob.example @nobody", "me@bob.example @nobody"),
        ("<@U0SBBOB00> <@U404>", "<@U0SBBOB00> &lt;@U404&gt;", "<@U0SBBOB00> &lt;@U404&gt;"),
        ("<!channel>", "&lt;!channel&gt;", "&lt;!channel&gt;"),
    ],
)
def test_typed_text_is_escaped_and_mentions_resolved(typed: str, message: str, command: str) -> None:
    assert encode(typed, State(), labels=False) == message
    assert encode(typed, State(), labels=True) == command


def test_timestamps_rise_even_when_the_clock_stands_still() -> None:
    workspace = Workspace(Changes(), Clock())
    minted = [workspace.mint_ts() for _ in range(100)]
    assert minted == sorted(set(minted))


def test_old_messages_are_forgotten() -> None:
    workspace = Workspace(Changes(), Clock())
    for _ in range(KEPT_MESSAGES + 3):
        workspace.post(Message(channel="C1", ts=workspace.mint_ts(), user=seed.HOME.bot_user))
    assert len(workspace.messages("C1")) == KEPT_MESSAGES


async def test_a_page_that_falls_behind_is_told_to_reload() -> None:
    changes = Changes()
    feed = changes.subscribe()
    first = asyncio.ensure_future(anext(feed))
    await asyncio.sleep(0)
    for n in range(BACKLOG + 1):
        changes.publish("n", {"n": n})
    seen = [await first, await anext(feed)]
    assert [(change.kind, change.data) for change in seen] == [("reload", {}), ("n", {"n": BACKLOG})]
    await feed.aclose()


def element(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "action_id": "a", **more}


RED = {"text": {"type": "plain_text", "text": "Red"}, "value": "red"}


@pytest.mark.parametrize(
    ("shown", "given_value", "state"),
    [
        (element("plain_text_input"), "hi", {"type": "plain_text_input", "value": "hi"}),
        (element("plain_text_input"), {"value": "hi"}, {"type": "plain_text_input", "value": "hi"}),
        (element("static_select", options=[RED]), "red", {"type": "static_select", "selected_option": RED}),
        (element("static_select", options=[RED]), RED, {"type": "static_select", "selected_option": RED}),
        (element("checkboxes", options=[RED]), ["red"], {"type": "checkboxes", "selected_options": [RED]}),
        (element("users_select"), "U1", {"type": "users_select", "selected_user": "U1"}),
        (element("datepicker"), "2026-01-02", {"type": "datepicker", "selected_date": "2026-01-02"}),
        (element("static_select", options=[RED]), None, {"type": "static_select", "selected_option": None}),
    ],
)
def test_what_is_entered_takes_slacks_shape(
    shown: dict[str, Any], given_value: Any, state: dict[str, Any]
) -> None:
    assert entered(shown, given_value) == state


def test_initial_values_count_and_required_inputs_are_missed() -> None:
    first = {"type": "input", "block_id": "b", "element": element("plain_text_input", initial_value="x")}
    second = {"type": "input", "block_id": "c", "element": element("checkboxes", options=[RED])}
    third = {"type": "input", "block_id": "d", "optional": True, "element": element("plain_text_input")}
    state = carried_state([first, second, third], {})
    assert state["b"]["a"] == {"type": "plain_text_input", "value": "x"}
    assert list(unanswered([first, second, third], state)) == ["c"]


def test_an_argument_may_be_json_or_a_string_of_it() -> None:
    assert Call("m", {"blocks": '[{"type":"divider"}]'}).objects("blocks") == [{"type": "divider"}]
    assert Call("m", {"blocks": [{"type": "divider"}]}).objects("blocks") == [{"type": "divider"}]
    with pytest.raises(SlackError, match="invalid_arguments"):
        Call("m", {"view": "[]x"}).mapping("view")
