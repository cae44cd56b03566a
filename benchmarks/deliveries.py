"""Signed requests, made before the clock starts."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from urllib.parse import urlencode

from benchmarks import http_load

SECRET = "benchmark-secret"
GENERIC_PATH = "/webhooks/generic/bench"
GENERIC_ENV = {
    "SIGNALBOX_GENERIC__BENCH__SECRET": SECRET,
    "SIGNALBOX_GENERIC__BENCH__ID_HEADER": "X-Delivery-Id",
}


def generic(count: int, start: int = 0) -> list[bytes]:
    """Webhooks of about 700 bytes, each with an id of its own, as whole HTTP requests."""
    return [_generic(number) for number in range(start, start + count)]


def _generic(number: int) -> bytes:
    body = json.dumps({"number": number, "kind": "deploy.finished", "text": "x" * 600}).encode()
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-Delivery-Id": f"d-{number}",
        "X-Signature-256": f"sha256={digest}",
    }
    return http_load.request(GENERIC_PATH, body, headers)


def slash_command(text: str, number: int, command: str = "/signalbox") -> tuple[bytes, dict[str, str]]:
    """Body and headers of a slash command as Slack sends it (docs.slack.dev, slash commands)."""
    body = urlencode(
        {
            "token": "legacy",
            "team_id": "T0BENCH",
            "team_domain": "bench",
            "channel_id": "C0GENERAL",
            "channel_name": "general",
            "user_id": "U0ALICE",
            "user_name": "alice",
            "command": command,
            "text": text,
            "api_app_id": "A0BENCH",
            "is_enterprise_install": "false",
            "response_url": "https://hooks.slack.com/commands/T0BENCH/1/abc",
            "trigger_id": f"{number}.{number}.bench",
        }
    ).encode()
    stamp = str(int(time.time()))
    signed = hmac.new(SECRET.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return body, {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": f"v0={signed}",
    }
