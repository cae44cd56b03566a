"""What a caller asked: a body read as texts, or a sentence that says what to send instead. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.core.errors import BadDelivery
from bot.webhooks.body import json_object

MAX_TEXTS = 1000
_SHAPE = 'Send {"text": "…"} or {"texts": ["…", "…"]}.'


@dataclass(frozen=True)
class Asked:
    """`one`: the caller sent `text` and wants a single answer."""

    texts: Sequence[str]
    one: bool


def read(body: bytes) -> Asked:
    """BadDelivery with status 400 (not JSON), 413 (too many) or 422 (not as expected)."""
    data = json_object(body)
    if data.keys() == {"text"}:
        return Asked([_text(data["text"], "text")], one=True)
    if data.keys() == {"texts"} and isinstance(data["texts"], list):
        return Asked(_texts(data["texts"]), one=False)
    raise BadDelivery(f"The body has other fields than expected. {_SHAPE}", status=422)


def _texts(values: list[Any]) -> list[str]:
    if len(values) > MAX_TEXTS:
        raise BadDelivery(
            f"{len(values):,} texts are too many at once; send at most {MAX_TEXTS:,} a request, "
            "one request after the other.",
            status=413,
        )
    if not values:
        raise BadDelivery("The list of texts is empty; send at least one.", status=422)
    return [_text(value, f"texts[{number}]") for number, value in enumerate(values)]


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise BadDelivery(f"{name} is not a string. {_SHAPE}", status=422)
    if not value.strip():
        raise BadDelivery(f"{name} is empty; leave it out or send its words.", status=422)
    return value
