"""A rule's expression, taken apart into what is measured and what it is compared with. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
      | (?P<word>[A-Za-z_:][A-Za-z0-9_:]*)
      | (?P<comparison>==|!=|<=|>=|<|>)
      | (?P<open>[({\[])
      | (?P<close>[)}\]])
      | (?P<other>=~|!~|[^\s])
      | (?P<space>\s+)""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_SETS = {"and", "or", "unless"}
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


class Condition(NamedTuple):
    """`comparator` says how values compare to the threshold when the alert fires."""

    measured: str
    comparator: str = ""
    threshold: float | None = None


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


def condition(expression: str) -> Condition:
    """The first of several conditions, without its comparison with a number.

    What is compared with anything else is shown as it is measured, without a threshold.
    """
    first = _without_parentheses(_first_of_set(expression))
    tokens = list(_outermost(first))
    at = next((i for i in range(len(tokens) - 1, -1, -1) if tokens[i].kind == "comparison"), None)
    if at is None:
        return Condition(first)
    sign, rest = tokens[at], tokens[at + 1 :]
    modifier = rest[0] if rest and rest[0].text.lower() == "bool" else sign
    left, right = first[: sign.start].strip(), first[modifier.end :].strip()
    if (number := _number(right)) is not None:
        return Condition(_without_parentheses(left), sign.text, number)
    if (number := _number(left)) is not None:
        flipped = _FLIPPED.get(sign.text, sign.text)
        return Condition(_without_parentheses(right), flipped, number)
    return Condition(_without_parentheses(left))


def of_address(url: str) -> str:
    """The expression of a link to Prometheus's graph page; empty when it has none."""
    return parse_qs(urlsplit(url).query).get("g0.expr", [""])[0]


def _first_of_set(expression: str) -> str:
    cut = next((t.start for t in _outermost(expression) if t.text.lower() in _SETS), len(expression))
    return expression[:cut].strip()


def _outermost(expression: str) -> Iterator[_Token]:
    """Words and comparisons that stand in no parentheses, braces or brackets."""
    depth = 0
    for match in _TOKEN.finditer(expression):
        kind = match.lastgroup or ""
        depth += (kind == "open") - (kind == "close")
        if depth == 0 and kind in {"word", "comparison"}:
            yield _Token(kind, match[0], match.start(), match.end())


def _without_parentheses(expression: str) -> str:
    text = expression.strip()
    while text.startswith("(") and _closes_at_end(text):
        text = text[1:-1].strip()
    return text


def _closes_at_end(text: str) -> bool:
    depth = 0
    for match in _TOKEN.finditer(text):
        depth += (match.lastgroup == "open") - (match.lastgroup == "close")
        if depth == 0:
            return match.end() == len(text)
    return False


def _number(text: str) -> float | None:
    plain = _without_parentheses(text)
    return float(plain) if _NUMBER.fullmatch(plain) else None
