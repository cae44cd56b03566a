"""Every signature scheme: right, wrong, missing, stale, and bytes that no scheme expects."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from bot.core.errors import BadDelivery
from bot.core.events import Delivery
from bot.webhooks import signatures

pytestmark = pytest.mark.unit
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECRET = b"It's a Secret to Everybody"
BODY = b"Hello, World!"


def delivery(body: bytes = BODY, **headers: str) -> Delivery:
    return Delivery("test", body, {name.replace("_", "-"): value for name, value in headers.items()})


def refusal(check: Callable[[], None]) -> BadDelivery:
    with pytest.raises(BadDelivery) as caught:
        check()
    assert caught.value.status == 401
    return caught.value


def test_githubs_published_example_passes() -> None:
    """From docs.github.com, "Validating webhook deliveries"."""
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    signatures.hmac_sha256(delivery(x_hub_signature_256=signature), SECRET, "X-Hub-Signature-256")


@pytest.mark.parametrize("given_value", ["", "sha256=", "sha256=00", "757107ea", "sha256=é", "sha1=757107ea"])
def test_any_other_hmac_is_refused(given_value: str) -> None:
    bad = delivery(x_hub_signature_256=given_value)
    error = refusal(lambda: signatures.hmac_sha256(bad, SECRET, "X-Hub-Signature-256"))
    assert "X-Hub-Signature-256" in str(error)


def test_a_missing_hmac_header_is_refused_as_missing() -> None:
    assert "is missing" in str(refusal(lambda: signatures.hmac_sha256(delivery(), SECRET, "X-Signature")))


@given(body=st.binary(max_size=200), flip=st.integers(0, 199))
def test_one_changed_byte_breaks_the_hmac(body: bytes, flip: int) -> None:
    signature = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    signatures.hmac_sha256(delivery(body, x_s=signature), SECRET, "X-S")
    changed = bytearray(body or b"\0")
    changed[flip % len(changed)] ^= 1
    refusal(lambda: signatures.hmac_sha256(delivery(bytes(changed), x_s=signature), SECRET, "X-S"))


def zendesk(stamp: str, body: bytes = BODY) -> Delivery:
    digest = hmac.new(SECRET, stamp.encode() + body, hashlib.sha256).digest()
    return delivery(
        body,
        x_zendesk_webhook_signature=base64.b64encode(digest).decode(),
        x_zendesk_webhook_signature_timestamp=stamp,
    )


@pytest.mark.parametrize("age", [timedelta(0), timedelta(minutes=5), timedelta(minutes=-5)])
def test_zendesk_is_fresh_within_five_minutes_either_way(age: timedelta) -> None:
    signatures.zendesk(zendesk((NOW - age).isoformat().replace("+00:00", "Z")), SECRET, NOW)


@pytest.mark.parametrize("age", [timedelta(minutes=5, seconds=1), timedelta(minutes=-5, seconds=-1)])
def test_an_old_or_future_zendesk_delivery_is_refused_although_well_signed(age: timedelta) -> None:
    assert "five minutes" in str(
        refusal(lambda: signatures.zendesk(zendesk((NOW - age).isoformat()), SECRET, NOW))
    )


@pytest.mark.parametrize("stamp", ["", "yesterday", "1795435200", "2026-11-23T12:00:00+99:00"])
def test_a_zendesk_timestamp_that_is_no_time_is_refused(stamp: str) -> None:
    refusal(lambda: signatures.zendesk(zendesk(stamp), SECRET, NOW))


def test_zendesks_signature_covers_the_body() -> None:
    forged = zendesk(NOW.isoformat())
    changed = Delivery("zendesk", b"other", forged.headers)
    refusal(lambda: signatures.zendesk(changed, SECRET, NOW))


def slack_headers(stamp: str, body: bytes = BODY) -> dict[str, str]:
    digest = hmac.new(SECRET, f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"}


def test_slack_within_the_window_passes_and_outside_it_is_refused() -> None:
    now = int(NOW.timestamp())
    for seconds in (0, 300, -300):
        signatures.slack(BODY, slack_headers(str(now - seconds)), SECRET, NOW)
    for seconds in (301, -301):
        old = slack_headers(str(now - seconds))
        refusal(lambda old=old: signatures.slack(BODY, old, SECRET, NOW))  # type: ignore[misc]


@pytest.mark.parametrize("stamp", ["", "now", "²", "1e9", "9" * 400, "-5"])
def test_a_slack_timestamp_that_is_no_number_is_refused(stamp: str) -> None:
    headers = slack_headers(stamp)
    refusal(lambda: signatures.slack(BODY, headers, SECRET, NOW))


def test_bearer_takes_the_token_and_nothing_else() -> None:
    for header in ("Bearer token", "bearer token", "Bearer  token "):
        signatures.bearer(delivery(authorization=header), b"token")
    for header in ("", "Bearer", "Bearer Token", "token", "Basic token", "Bearer toké"):
        bad = delivery(authorization=header)
        refusal(lambda bad=bad: signatures.bearer(bad, b"token"))  # type: ignore[misc]


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


def test_basic_takes_name_and_password_together() -> None:
    signatures.basic(delivery(authorization=basic("am:pass:word")), "am", b"pass:word")
    wrong = [basic("am:pass"), basic("other:pass:word"), basic("am"), "Basic ?", "Basic é", "Bearer x", ""]
    for header in wrong:
        bad = delivery(authorization=header)
        refusal(lambda bad=bad: signatures.basic(bad, "am", b"pass:word"))  # type: ignore[misc]


@given(header=st.text(st.characters(max_codepoint=255), max_size=60))
def test_no_header_breaks_a_check(header: str) -> None:
    """HTTP header values reach us as latin-1; every one of them ends in a pass or a 401."""
    bad = delivery(authorization=header, x_s=header, x_zendesk_webhook_signature_timestamp=header)
    refusal(lambda: signatures.bearer(bad, b"\xffsecret".hex().encode()))
    refusal(lambda: signatures.basic(bad, "user", b"password that is never drawn"))
    refusal(lambda: signatures.hmac_sha256(bad, SECRET, "X-S"))
    refusal(lambda: signatures.zendesk(bad, SECRET, NOW))
    refusal(lambda: signatures.slack(BODY, {"x-slack-request-timestamp": header}, SECRET, NOW))


@pytest.mark.parametrize("secret", [None, SecretStr("")])
def test_without_a_secret_the_log_says_which_setting_to_set(secret: SecretStr | None) -> None:
    assert "JIRA_WEBHOOK_SECRET" in str(
        refusal(lambda: signatures.secret_of(secret, "JIRA_WEBHOOK_SECRET") and None)
    )
