"""Reading a body that a stranger sent: bounded in size and depth, JSON or a clear refusal."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.requests import ClientDisconnect

from bot.core.errors import BadDelivery


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
        data = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise BadDelivery(f"The body is not JSON: {exc}.") from exc
    if not isinstance(data, dict):
        raise BadDelivery(f"The body is JSON but a {type(data).__name__}, not an object.")
    return data
