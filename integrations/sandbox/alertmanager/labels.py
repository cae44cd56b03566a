"""Label sets: their fingerprint, matchers and the filter syntax, as Alertmanager defines them."""

import json
import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

Labels = Mapping[str, str]

LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
FILTER = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|!~|!=|=)\s*((?s:.*?))\s*")
FNV_OFFSET, FNV_PRIME, SEPARATOR = 14695981039346656037, 1099511628211, b"\xff"


class BadMatcher(ValueError):
    """The text is Alertmanager's answer."""


class Matcher(BaseModel):
    model_config = ConfigDict(frozen=True)
    name: str
    value: str
    isRegex: bool  # noqa: N815 - the wire's name
    isEqual: bool = True  # noqa: N815 - the wire's name

    def matches(self, labels: Labels) -> bool:
        """A label that is not there counts as empty."""
        value = labels.get(self.name, "")
        hit = re.fullmatch(self.value, value) is not None if self.isRegex else value == self.value
        return hit is self.isEqual


def fingerprint(labels: Labels) -> str:
    """64-bit FNV-1a over the sorted pairs: what Prometheus and Alertmanager call an alert's identity."""
    value = FNV_OFFSET
    for name in sorted(labels):
        for byte in name.encode() + SEPARATOR + labels[name].encode() + SEPARATOR:
            value = ((value ^ byte) * FNV_PRIME) % 2**64
    return f"{value:016x}"


def shown(labels: Labels) -> str:
    """As Go prints a label set: `{alertname="Down", service="checkout"}`."""
    pairs = (f"{name}={json.dumps(labels[name], ensure_ascii=False)}" for name in sorted(labels))
    return "{" + ", ".join(pairs) + "}"


def parse_filter(text: str) -> Matcher:
    """One `filter=` parameter: `name="value"`, `!=`, `=~`, `!~`; the quotes may be left out."""
    found = FILTER.fullmatch(text)
    if found is None:
        raise BadMatcher(f"bad matcher format: {text}")
    name, operator, value = found.groups()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = re.sub(r'\\(["\\])', r"\1", value[1:-1])
    matcher = Matcher(name=name, value=value, isRegex="~" in operator, isEqual=operator[0] == "=")
    check_regex(matcher)
    return matcher


def check_regex(matcher: Matcher) -> None:
    if not matcher.isRegex:
        return
    try:
        re.compile(matcher.value)
    except re.error as exc:
        raise BadMatcher(f"error parsing regexp: {exc.msg}: `{matcher.value}`") from exc


def matches_all(matchers: list[Matcher], labels: Labels) -> bool:
    return all(matcher.matches(labels) for matcher in matchers)
