r"""Texts from strangers as a database takes them: no NUL, no lone surrogates, keys of bounded length.

JSON may hold both (\u0000, \ud800), PostgreSQL takes neither, and one such delivery would fail the whole
transaction that it shares with others.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any

_KEPT = 190
_SUSPECT = re.compile(r"\\u(?:0000|d[89a-f])")
_STEERING = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_STRICT = json.JSONEncoder(allow_nan=False)


def storable(text: str) -> str:
    """The text itself, but for what no database stores: those characters become U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


def storable_key(text: str, limit: int = 255) -> str:
    """As `storable`; of one that is too long the end is replaced by its hash, so that keys stay different."""
    clean = storable(text)
    if len(clean) <= limit:
        return clean
    return f"{clean[:_KEPT]}#{hashlib.sha256(clean.encode()).hexdigest()}"[:limit]


def storable_json(value: Any) -> str:
    """As JSON, ASCII only; texts within it as `storable` makes them, and null for what is no number."""
    try:
        written = _STRICT.encode(value)
    except ValueError:  # PostgreSQL's JSON knows neither NaN nor infinity
        written = _STRICT.encode(_finite(json.loads(json.dumps(value))))
    if _SUSPECT.search(written):  # also true for a whole pair of surrogates, which is kept
        return json.dumps(storable_value(json.loads(written)))
    return written


def printable(text: str) -> str:
    """On one line, and with nothing in it that steers a terminal or turns the order of its words around."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shown_json(value: Any, indent: int | None = None) -> str:
    """For people to read at a terminal: letters as they are, what steers it or them as JSON's escapes."""
    written = json.dumps(value, default=str, indent=indent, ensure_ascii=False)
    return _STEERING.sub(lambda sign: f"\\u{ord(sign[0]):04x}", written)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list) else value


def storable_value(value: Any) -> Any:
    """What JSON was read into, each text in it as `storable` makes it."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(key): storable_value(inner) for key, inner in value.items()}
    return [storable_value(inner) for inner in value] if isinstance(value, list) else value
