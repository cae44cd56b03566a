"""Is a delivery authentic and fresh? Pure checks; the clock is an argument, comparisons take constant time.

Each raises `BadDelivery(401)` whose message goes to the log. The sender is told no more than "401".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from bot.core.errors import BadDelivery
from bot.core.events import Delivery

WINDOW = timedelta(minutes=5)


def secret_of(secret: SecretStr | None, setting: str) -> bytes:
    """The secret's bytes; without one every delivery is refused, since none could be told from a forgery."""
    if secret is None or not secret.get_secret_value():
        raise BadDelivery(f"No secret to verify with: set {setting}.", status=401)
    return secret.get_secret_value().encode()


def hmac_sha256(delivery: Delivery, secret: bytes, header: str) -> None:
    """`header: sha256=<hex of HMAC-SHA256(body)>` (GitHub, Jira Cloud, WebSub section 7)."""
    expected = "sha256=" + hmac.new(secret, delivery.body, hashlib.sha256).hexdigest()
    _compare(expected, delivery.headers.get(header.lower(), ""), header)


def zendesk(delivery: Delivery, secret: bytes, now: datetime) -> None:
    """Base64 of HMAC-SHA256(timestamp + body), the timestamp in a header (developer.zendesk.com)."""
    stamp = delivery.headers.get("x-zendesk-webhook-signature-timestamp", "")
    _check_fresh(_iso_time(stamp), now)
    digest = hmac.new(secret, stamp.encode() + delivery.body, hashlib.sha256).digest()
    expected = base64.b64encode(digest).decode()
    _compare(expected, delivery.headers.get("x-zendesk-webhook-signature", ""), "X-Zendesk-Webhook-Signature")


def slack(body: bytes, headers: Mapping[str, str], secret: bytes, now: datetime) -> None:
    """`v0=<hex of HMAC-SHA256("v0:timestamp:body")>`, not older than five minutes (docs.slack.dev)."""
    stamp = headers.get("x-slack-request-timestamp", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 16):
        raise BadDelivery("X-Slack-Request-Timestamp is missing or not a number of seconds.", status=401)
    if abs(now.timestamp() - int(stamp)) > WINDOW.total_seconds():
        raise BadDelivery("The request is older than five minutes: a replay, or a wrong clock.", status=401)
    digest = hmac.new(secret, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    _compare("v0=" + digest, headers.get("x-slack-signature", ""), "X-Slack-Signature")


def bearer(delivery: Delivery, token: bytes) -> None:
    scheme, _, given = delivery.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise BadDelivery("The Authorization header carries no bearer token.", status=401)
    _compare(token.decode(), given.strip(), "Authorization")


def basic(delivery: Delivery, username: str, password: bytes) -> None:
    scheme, _, given = delivery.headers.get("authorization", "").partition(" ")
    try:
        decoded = base64.b64decode(given, validate=True) if scheme.lower() == "basic" else b""
    except ValueError as exc:  # not ASCII, or not base64
        raise BadDelivery("The Authorization header is not valid base64.", status=401) from exc
    if not hmac.compare_digest(username.encode() + b":" + password, decoded):
        raise BadDelivery("User name or password is wrong.", status=401)


def _compare(expected: str, given: str, header: str) -> None:
    if not hmac.compare_digest(expected.encode(), given.encode()):
        problem = "does not match" if given else "is missing"
        raise BadDelivery(f"The signature in {header} {problem}.", status=401)


def _iso_time(stamp: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(stamp)
    except ValueError as exc:
        raise BadDelivery("The signature's timestamp is not an ISO 8601 time.", status=401) from exc
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _check_fresh(stamp: datetime, now: datetime) -> None:
    if abs(now - stamp) > WINDOW:
        raise BadDelivery("The delivery is older than five minutes: a replay, or a wrong clock.", status=401)
