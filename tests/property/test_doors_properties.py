"""What holds for every delivery: all normalisers, all signature checks, commands; drawn by hypothesis."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import BadDelivery
from bot.core.events import Delivery, NewEvent
from bot.core.integration import Source
from bot.slack.normalise import Say, normalise
from bot.webhooks import signatures
from tests.fuzz import targets as fuzz
from tests.fuzz.mutation import mutate_json

pytestmark = pytest.mark.unit
SOURCES = fuzz.sources()
REGISTRY = fuzz.registry()
SEEDS = [seed for seed in fuzz.seeds() if seed.startswith(b"{")]
SECRET = fuzz.SECRET.encode()


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A good payload with a few hostile changes, or any JSON, or any bytes."""
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return draw(st.binary(max_size=200))
    if kind == 1:
        leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
        nested = st.recursive(
            leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
        )
        return json.dumps(draw(nested)).encode()
    chosen = draw(st.sampled_from(SEEDS))
    return mutate_json(chosen, draw(st.randoms(use_true_random=False)), SEEDS) or chosen


@pytest.mark.parametrize("name", SOURCES)
@given(body=bodies())
def test_a_normaliser_takes_or_refuses_any_body(name: str, body: bytes) -> None:
    fuzz.webhook(SOURCES[name])(body)


@pytest.mark.parametrize("name", SOURCES)
@given(body=bodies(), header=st.text(st.characters(max_codepoint=255), max_size=120))
def test_no_forgery_is_let_in(name: str, body: bytes, header: str) -> None:
    fuzz.forged(SOURCES[name])(header.encode("latin-1").replace(b"\n", b"") + b"\n" + body)


@pytest.mark.parametrize("name", SOURCES)
@given(body=bodies())
def test_a_normaliser_says_the_same_of_the_same_body(name: str, body: bytes) -> None:
    assert _said(SOURCES[name], body) == _said(SOURCES[name], body)


def _said(source: Source, body: bytes) -> Any:
    """All but the id, which is new each time."""
    try:
        event = source.normalise(
            Delivery(source.name, body, {"x-github-event": "issues"}, "deploys"), fuzz.NOW
        )
    except BadDelivery as exc:
        return str(exc)
    return event and (event.kind, event.subject, event.serial, event.actor, event.dedupe, event.dead)


def _hub(body: bytes) -> dict[str, str]:
    return {"x-hub-signature-256": "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()}


def _zendesk(body: bytes) -> dict[str, str]:
    stamp = fuzz.NOW.isoformat()
    digest = hmac.new(SECRET, stamp.encode() + body, hashlib.sha256).digest()
    signed = base64.b64encode(digest).decode()
    return {"x-zendesk-webhook-signature": signed, "x-zendesk-webhook-signature-timestamp": stamp}


def _slack(body: bytes) -> dict[str, str]:
    stamp = str(int(fuzz.NOW.timestamp()))
    digest = hmac.new(SECRET, f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"}


CHECKS = {
    "hmac": (_hub, lambda d, _: signatures.hmac_sha256(d, SECRET, "X-Hub-Signature-256")),
    "zendesk": (_zendesk, lambda d, now: signatures.zendesk(d, SECRET, now)),
    "slack": (_slack, lambda d, now: signatures.slack(d.body, d.headers, SECRET, now)),
}


@pytest.mark.parametrize("name", CHECKS)
@given(body=st.binary(min_size=1, max_size=300), place=st.integers(0, 299), bit=st.integers(0, 7))
def test_a_signature_holds_for_its_very_bytes(name: str, body: bytes, place: int, bit: int) -> None:
    sign, check = CHECKS[name]
    check(Delivery("s", body, sign(body)), fuzz.NOW)
    at = place % len(body)
    changed = body[:at] + bytes([body[at] ^ (1 << bit)]) + body[at + 1 :]
    with pytest.raises(BadDelivery):
        check(Delivery("s", changed, sign(body)), fuzz.NOW)


@pytest.mark.parametrize("name", ["zendesk", "slack"])
@given(seconds=st.integers(301, 10**7), future=st.booleans())
def test_a_signature_is_of_no_use_after_five_minutes(name: str, seconds: int, future: bool) -> None:
    sign, check = CHECKS[name]
    later = timedelta(seconds=-seconds if future else seconds)
    with pytest.raises(BadDelivery):
        check(Delivery("s", b"{}", sign(b"{}")), fuzz.NOW + later)


@given(text=st.text())
def test_a_command_is_taken_word_by_word_or_answered(text: str) -> None:
    found = _typed(text)
    if isinstance(found, Say):
        assert found.text
        return
    name, _, rest = text.strip().partition(" ")
    payload = json.loads(found.body)
    assert payload["name"] == name.lower() == "alerts"
    assert payload["text"] == rest.strip()
    assert found.runs == (("doors.alerts", "interactive"),)


@given(words=st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=1)))
def test_what_stands_behind_a_command_reaches_its_handler(words: list[str]) -> None:
    found = _typed(" ".join(["Alerts", *words]))
    assert isinstance(found, NewEvent)
    assert json.loads(found.body)["text"] == " ".join(words)


def _typed(text: str) -> NewEvent | Say:
    data = {"command": "/signalbox", "text": text, "user_id": "U1", "channel_id": "C1", "trigger_id": "1"}
    return normalise(data, REGISTRY)


@given(body=bodies())
def test_no_slack_payload_breaks_its_reader(body: bytes) -> None:
    fuzz.slack(REGISTRY)(body)


FOUND = [
    ("github", b'{"action":"opened","issue":{"number":7,"labels":1},"repository":{"full_name":"a/b"}}'),
    ("hook-generic", b'{"": "\\ud800"}'),
]


@pytest.mark.parametrize(("name", "body"), FOUND)
def test_what_fuzzing_found_stays_mended(name: str, body: bytes) -> None:
    assert fuzz.webhook(SOURCES[name])(body) is not None
