"""Sets of keys that many workers change at once: kept in parts, so that they seldom meet."""

from __future__ import annotations

from bot.core.memory import Documents
from bot.plugin import Transient

_TRIES = 100
_PART_LENGTH = 2


def members(documents: Documents, name: str) -> list[str]:
    return [key for part in documents.having(f"{name}/") for key in part.data["keys"]]


def put(documents: Documents, name: str, key: str, *, wanted: bool = True) -> None:
    """Make `key` a member, or none any more."""
    part = f"{name}/{key[:_PART_LENGTH]}"
    for _ in range(_TRIES):
        found = documents.get(part)
        keys = set(found.data["keys"]) if found else set()
        if wanted == (key in keys):
            return
        keys ^= {key}
        if documents.put(part, {"keys": sorted(keys)}, version=found.version if found else 0, durable=False):
            return
    raise Transient(f"The list {name!r} is being changed by too many workers at once.")
