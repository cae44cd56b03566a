"""Slack's markup as plain text, for helpdesks and timelines (docs.slack.dev, formatting message text)."""

from __future__ import annotations

import re

_ENTITY = re.compile(r"<([^<>\n]{1,3000})>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


def plain(mrkdwn: str) -> str:
    """Links keep their address, mentions a name or an id; nothing in the answer is markup any more."""
    return _unescape(_ENTITY.sub(lambda found: _said(found.group(1)), mrkdwn))


def _said(inside: str) -> str:
    target, _, label = inside.partition("|")
    match target[:1]:
        case "@":
            return f"@{label or target[1:]}".replace("@@", "@")
        case "#":
            return f"#{label or target[1:]}"
        case "!":
            return label or f"@{target[1:].partition('^')[0]}"
        case _:
            return _link(target, label)


def _link(url: str, label: str) -> str:
    bare = url.removeprefix("mailto:")
    if not label or not bare or label in {url, bare}:
        return bare or label
    return f"{label} ({bare})"


def _unescape(text: str) -> str:
    for entity, sign in _ENTITIES:
        text = text.replace(entity, sign)
    return text
