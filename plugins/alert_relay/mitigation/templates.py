"""Values with labels in them: "{{ labels.instance | host }}". Nothing else can be written there.

Each value is filled in by itself and stays one value: it never becomes part of a command line, a query's
syntax or another template.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bot.plugin import Refused

_HOLE = re.compile(r"\{\{\s*labels\.([A-Za-z_][A-Za-z0-9_]*)\s*(?:\|\s*([a-z]+)\s*)?\}\}")
# Names, hosts, ports, paths: without quotes, blanks and brackets a value can't leave a query's string.
_PLAIN = re.compile(r"[A-Za-z0-9_.:/@+~-]{1,200}")
FILTERS: Mapping[str, Callable[[str], str]] = {
    "host": lambda value: value.rpartition(":")[0] if re.search(r":\d+$", value) else value,
    "port": lambda value: value.rpartition(":")[2],
    "short": lambda value: value.partition(".")[0],
    "lower": str.lower,
    "upper": str.upper,
}


def check(value: Any) -> None:
    """Raise ValueError for a template that could never be filled in."""
    for text in _texts(value):
        rest = _HOLE.sub("", text)
        if "{{" in rest or "}}" in rest or "{%" in rest:
            raise ValueError(
                f"{text!r} is no template that can be filled in: only labels stand in braces. "
                'Example: "{{ labels.instance | host }}"'
            )
        for _, name in _HOLE.findall(text):
            if name and name not in FILTERS:
                raise ValueError(f"{text!r} uses the filter {name!r}; there are: {', '.join(FILTERS)}")


def labels_in(value: Any) -> set[str]:
    """Names of the labels that a value's templates use."""
    return {name for text in _texts(value) for name, _ in _HOLE.findall(text)}


def fill(value: Any, labels: Mapping[str, str], where: str) -> Any:
    """`value` with its labels; lists and tables are filled in one by one.

    `where` names the place for the refusal of a label that is missing or can't be used.
    """
    if isinstance(value, str):
        return _fill(value, labels, where)
    if isinstance(value, Mapping):
        return {name: fill(part, labels, f"{where}.{name}") for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [fill(part, labels, where) for part in value]
    return value


def _fill(text: str, labels: Mapping[str, str], where: str) -> str:
    def value_of(found: re.Match[str]) -> str:
        name, chosen = found.groups()
        value = _usable(name, labels, where)
        return FILTERS[chosen](value) if chosen else value

    filled = _HOLE.sub(value_of, text)
    if filled != text and filled.startswith("-") and not text.startswith("-"):
        raise Refused(
            f"{where} would be {filled[:60]!r}, which a command takes for an option; nothing was run.",
            check="target",
        )
    return filled


def _usable(name: str, labels: Mapping[str, str], where: str) -> str:
    value = labels.get(name, "")
    if not value:
        raise Refused(
            f"{where} needs the label {name!r}, which this alert does not have; nothing was run. "
            "Add the label to the rule, or narrow the mitigation's match.",
            check="target",
        )
    if not _PLAIN.fullmatch(value):
        raise Refused(
            f"The label {name!r} has characters that no parameter takes ({value[:60]!r}); nothing was run. "
            "Letters, digits and _ . : / @ + ~ - are fine.",
            check="target",
        )
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
