"""Atlassian Document Format to plain text and back, as API v3 and v2 show the same field."""

from typing import Any

BLOCKS = {"paragraph", "heading", "codeBlock", "blockquote", "listItem", "rule", "panel"}


def from_text(text: str) -> dict[str, Any]:
    paragraphs = [_paragraph(part) for part in text.split("\n\n")] if text else []
    return {"type": "doc", "version": 1, "content": paragraphs}


def to_text(document: dict[str, Any] | None) -> str:
    if document is None:
        return ""
    return "\n\n".join(_text(block).rstrip("\n") for block in document.get("content", []))


def is_document(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    head = (value.get("type"), value.get("version"))
    return head == ("doc", 1) and isinstance(value.get("content"), list) and _nodes_are_typed(value)


def _nodes_are_typed(node: dict[str, Any]) -> bool:
    content = node.get("content", [])
    return isinstance(content, list) and all(
        isinstance(child, dict) and isinstance(child.get("type"), str) and _nodes_are_typed(child)
        for child in content
    )


def _paragraph(text: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    for number, line in enumerate(text.split("\n")):
        if number:
            content.append({"type": "hardBreak"})
        if line:
            content.append({"type": "text", "text": line})
    return {"type": "paragraph", "content": content}


def _text(node: dict[str, Any]) -> str:
    kind = node["type"]
    if kind == "text":
        return str(node.get("text", ""))
    if kind == "hardBreak":
        return "\n"
    if kind in {"mention", "emoji", "status", "date", "inlineCard"}:
        return _attribute_text(node.get("attrs", {}))
    inner = "".join(_text(child) for child in node.get("content", []))
    return _wrapped(kind, inner)


def _attribute_text(attributes: dict[str, Any]) -> str:
    return str(next((attributes[name] for name in ("text", "shortName", "url") if attributes.get(name)), ""))


def _wrapped(kind: str, inner: str) -> str:
    if kind == "listItem":
        return f"* {inner.strip()}\n"
    return f"{inner}\n" if kind in BLOCKS else inner
