"""Atlassian Document Format (developer.atlassian.com, "Atlassian Document Format") to text and back."""

from __future__ import annotations

from typing import Any

_BLOCKS = {"paragraph", "heading", "listItem", "codeBlock", "blockquote", "tableRow", "rule"}


def to_text(node: Any) -> str:
    """The words of a document; REST v2 and webhooks may give plain text already, or nothing."""
    if node is None:
        return ""
    return node if isinstance(node, str) else _text(node).strip()


def _text(node: Any) -> str:
    if not isinstance(node, dict):
        return ""
    kind = node.get("type")
    if kind == "text":
        return str(node.get("text", ""))
    if kind == "hardBreak":
        return "\n"
    if kind in {"mention", "emoji", "status", "date", "inlineCard"}:
        attributes = node.get("attrs") or {}
        return str(attributes.get("text") or attributes.get("shortName") or attributes.get("url") or "")
    inner = "".join(_text(child) for child in node.get("content") or ())
    return inner + "\n" if kind in _BLOCKS and not inner.endswith("\n") else inner


def from_text(text: str) -> dict[str, Any]:
    """A document of plain paragraphs; nothing in the text is read as markup."""
    paragraphs = [
        {"type": "paragraph", "content": [{"type": "text", "text": line}] if line else []}
        for line in text.split("\n")
    ]
    return {"type": "doc", "version": 1, "content": paragraphs}
