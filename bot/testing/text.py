"""The words of a message, as they are sent: what is written here as `<…>` has a meaning to the chat."""

from __future__ import annotations

from collections.abc import Iterator

from bot.core.messages import (
    Actions,
    Block,
    Code,
    Header,
    LinkButton,
    Markup,
    Message,
    Note,
    Section,
    Select,
    Text,
    escape,
)


def text_of(message: Message) -> str:
    """Everything a reader sees, line by line; untrusted text appears escaped."""
    lines = [line for block in message.blocks for line in _lines(block)]
    return "\n".join(lines) if lines else escape(message.text)


def _lines(block: Block) -> Iterator[str]:
    if isinstance(block, Header | Code):
        yield escape(block.text)
    elif isinstance(block, Section):
        yield from map(_sent, (block.text, *block.fields))
    elif isinstance(block, Note):
        yield " ".join(map(_sent, block.parts))
    elif isinstance(block, Actions):
        yield " ".join(f"[{_label(e)}]" for e in block.elements)


def _label(element: object) -> str:
    if isinstance(element, LinkButton):
        return f"{escape(element.text)} -> {element.url}"
    return escape(element.placeholder if isinstance(element, Select) else getattr(element, "text", ""))


def _sent(text: Text) -> str:
    return text.mrkdwn if isinstance(text, Markup) else escape(text)
