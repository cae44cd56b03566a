"""Reading a body that a stranger sent: bounded in size and depth, JSON or a clear refusal."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, Never

from starlette.requests import ClientDisconnect

from bot.core.errors import BadDelivery
from bot.core.texts import storable_value

_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
MAX_DEPTH = 64
MAX_CONTAINERS = 100_000


async def read_limited(headers: Mapping[str, str], stream: AsyncIterator[bytes], limit: int) -> bytes:
    """The body, or 413 as soon as it is known to be too large."""
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    try:
        async for part in stream:
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            parts.append(part)
    except ClientDisconnect as exc:
        raise BadDelivery(f"The sender hung up after {size:,} bytes of the body.") from exc
    return b"".join(parts)


def _too_large(limit: int) -> BadDelivery:
    return BadDelivery(f"The body is larger than the {limit:,} bytes this source may send.", status=413)


def json_object(body: bytes) -> dict[str, Any]:
    """A JSON object, or a BadDelivery that says what is wrong."""
    try:
        # UTF-8 as RFC 8259 has it: in another encoding nobody would find a name again, to erase it.
        data = json.loads(body.decode("utf-8-sig"), parse_constant=_no_number)
    except (ValueError, RecursionError) as exc:
        raise BadDelivery(f"The body is not JSON: {exc}.") from exc
    if not isinstance(data, dict):
        raise BadDelivery(f"The body is JSON but a {type(data).__name__}, not an object.")
    _refuse_monsters(body, data)
    if _SUSPECT.search(body):  # what handlers write down again must be text
        cleaned: dict[str, Any] = storable_value(data)
        return cleaned
    return data


def _no_number(word: str) -> Never:
    raise ValueError(f"{word} is no number in JSON")


def _refuse_monsters(body: bytes, data: dict[str, Any]) -> None:
    """Deep or countless nesting costs whoever walks it later; bounds are far above what vendors send."""
    containers = body.count(b"{") + body.count(b"[")
    if containers > MAX_CONTAINERS:
        raise BadDelivery(f"The body may hold {MAX_CONTAINERS:,} objects and lists at most.")
    if containers > MAX_DEPTH and _depth(data) > MAX_DEPTH:
        raise BadDelivery(f"The body may be nested {MAX_DEPTH} levels deep at most.")


def _depth(data: Any) -> int:
    """How deep it is nested; ends at the bound, and needs no recursion."""
    level: list[Any] = [data]
    for depth in range(MAX_DEPTH + 1):
        level = [inner for outer in level for inner in _inner(outer)]
        if not level:
            return depth + 1
    return MAX_DEPTH + 1


def _inner(value: Any) -> list[Any]:
    inside = value.values() if isinstance(value, dict) else value
    return [inner for inner in inside if isinstance(inner, dict | list)]
