"""Changes that keep JSON JSON: bytes at random hardly ever get past its parser."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

HOSTILE: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, 10**40, "", "\x00", "\ud800", "<!channel>", "../..", "SUP-1", "7", [], {}, [[]], [None],
    {"id": None}, {"": {}}, "x" * 300, "2026-11-23T12:00:00Z", "0001-01-01T00:00:00Z", "9" * 400,
)  # fmt: skip


def places(node: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every container with each of its keys."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        found.append((node, key))
        places(node[key], found)
    return found


def mutate_json(body: bytes, draw: random.Random, others: list[bytes]) -> bytes | None:
    """One to three changes: another value, another payload's value, a key gone; None for what is no JSON."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    for _ in range(draw.randint(1, 3)):
        if not (found := places(data, [])):
            return json.dumps(draw.choice(HOSTILE)).encode()
        holder, key = draw.choice(found)
        match draw.randint(0, 3):
            case 0:
                del holder[key]
            case 1:
                container, donor = draw.choice(places(json.loads(draw.choice(others)), []))
                holder[key] = container[donor]
            case _:
                holder[key] = copy.deepcopy(draw.choice(HOSTILE))
    return json.dumps(data).encode()
