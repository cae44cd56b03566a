"""Atlassian Document Format (developer.atlassian.com, "Atlassian Document Format") to text and back."""

from __future__ import annotations

import re
from typing import Any

_BLOCKS = {"paragraph", "heading", "listItem", "codeBlock", "blockquote", "tableRow", "rule"}
_INLINE = {"mention", "emoji", "status", "date", "inlineCard"}
_MARKUP = re.compile(r"[\\{}\[\]!*_+^~|]")
_DEEPEST = 100  # Jira's editor nests a handful


def to_text(node: Any) -> str:
    """The words of a document; REST v2 and webhooks may give plain text already, or nothing."""
    if node is None:
        return ""
    return node if isinstance(node, str) else _text(node).strip()


def _text(node: Any, depth: int = 0) -> str:
    if not isinstance(node, dict) or depth > _DEEPEST:
        return ""
    kind = str(node.get("type"))
    if kind == "text":
        return str(node.get("text", ""))
    if kind == "hardBreak":
        return "\n"
    if kind in _INLINE:
        return _inline(node.get("attrs"))
    children = node.get("content")
    inner = "".join(_text(child, depth + 1) for child in children) if isinstance(children, list) else ""
    return inner + "\n" if kind in _BLOCKS and not inner.endswith("\n") else inner


def _inline(attributes: Any) -> str:
    if not isinstance(attributes, dict):
        return ""
    return str(attributes.get("text") or attributes.get("shortName") or attributes.get("url") or "")


def from_text(text: str) -> dict[str, Any]:
    """A document of plain paragraphs; nothing in the text is read as markup."""
    paragraphs = [
        {"type": "paragraph", "content": [{"type": "text", "text": line}] if line else []}
        for line in text.split("\n")
    ]
    return {"type": "doc", "version": 1, "content": paragraphs}


def to_wiki(text: str) -> str:
    """The same for Data Center's wiki markup: no mention, link, macro or image comes of it."""
    return _MARKUP.sub(lambda sign: "\\" + sign[0], text)
