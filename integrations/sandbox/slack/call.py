"""One call of a Web API method: its arguments, however they were encoded, and its errors."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class SlackError(Exception):
    """Answered as `{"ok": false, "error": ...}`, as Slack does."""

    def __init__(self, error: str, messages: Sequence[str] = (), **extra: Any) -> None:
        super().__init__(error)
        self.error = error
        self.messages = list(messages)
        self.extra = extra

    def as_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {"ok": False, "error": self.error, **self.extra}
        if self.messages:
            body["response_metadata"] = {"messages": [f"[ERROR] {m}" for m in self.messages]}
        return body


def missing(name: str) -> SlackError:
    return SlackError("invalid_arguments", [f"missing required field: {name}"])


def parse_json(text: str | bytes) -> Any:
    """JSON that can be written again: no NaN and no lone surrogate, which would poison the state."""
    value = json.loads(text)
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    return value


@dataclass(frozen=True)
class Call:
    method: str
    args: dict[str, Any]

    def text(self, name: str) -> str | None:
        value = self.args.get(name)
        return None if value is None or value == "" else str(value)

    def require(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise missing(name)
        return value

    def flag(self, name: str) -> bool:
        return self.args.get(name) in (True, 1, "1", "true", "True")

    def number(self, name: str, default: int) -> int:
        try:
            return int(self.args.get(name, default))
        except (TypeError, ValueError) as exc:
            raise SlackError("invalid_arguments", [f"{name} must be a whole number"]) from exc

    def structure(self, name: str, error: str = "invalid_arguments") -> Any:
        """A JSON value, given as such or as a string (form-encoded calls have only strings)."""
        value = self.args.get(name)
        if not isinstance(value, str) or value == "":
            return value or None
        try:
            return parse_json(value)
        except ValueError as exc:
            raise SlackError(error, [f"{name} is not valid JSON"]) from exc

    def objects(self, name: str, error: str = "invalid_arguments") -> list[dict[str, Any]] | None:
        value = self.structure(name, error)
        if value is None:
            return [] if self.args.get(name) in ([], "[]") else None
        if not isinstance(value, list):
            raise SlackError(error, [f"{name} must be an array"])
        return value

    def mapping(self, name: str, error: str = "invalid_arguments") -> dict[str, Any] | None:
        value = self.structure(name, error)
        if value is not None and not isinstance(value, dict):
            raise SlackError(error, [f"{name} must be an object"])
        return value
