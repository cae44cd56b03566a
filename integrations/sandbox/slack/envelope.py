"""What is sent to the bot, in the two wrappings Slack has: signed HTTP and socket envelopes."""

import json
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlencode

Kind = Literal["events_api", "slash_commands", "interactive"]


@dataclass(frozen=True)
class Envelope:
    kind: Kind
    label: str
    """For the delivery log: the event type, the command, the interaction's type."""
    ident: str
    payload: dict[str, Any]
    attempt: int = 0
    reason: str | None = None

    def again(self, attempt: int, reason: str) -> "Envelope":
        return replace(self, attempt=attempt, reason=reason)

    def http_body(self) -> tuple[str, bytes]:
        """Content type and raw body."""
        if self.kind == "events_api":
            return "application/json", json.dumps(self.payload).encode()
        form = self.payload if self.kind == "slash_commands" else {"payload": json.dumps(self.payload)}
        return "application/x-www-form-urlencoded", urlencode(form).encode()

    def socket_json(self, envelope_id: str) -> dict[str, Any]:
        wrapped: dict[str, Any] = {
            "envelope_id": envelope_id,
            "type": self.kind,
            "payload": self.payload,
            "accepts_response_payload": self.kind != "events_api",
        }
        if self.kind == "events_api":
            wrapped["retry_attempt"] = self.attempt
            # The socket's word for it; over HTTP the same reason is called http_timeout.
            wrapped["retry_reason"] = "timeout" if self.reason == "http_timeout" else self.reason or ""
        return wrapped


@dataclass(frozen=True)
class Reply:
    """How the bot answered. `error` is Slack's retry reason, None when the bot acknowledged."""

    status: int | None
    error: str | None
    ms: float
    via: Literal["http", "socket"]
    answer: dict[str, Any] | str | None = None
    no_retry: bool = False

    @property
    def user_error(self) -> str:
        """What Slack tells the person whose command or click failed."""
        return "operation_timeout" if self.error == "http_timeout" else "dispatch_failed"
