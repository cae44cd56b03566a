"""Messages as Block Kit. Pure; whatever comes in, what goes out is within Slack's limits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from bot.core.messages import (
    Actions,
    Block,
    Button,
    Code,
    Confirm,
    Divider,
    Header,
    Image,
    Input,
    LinkButton,
    Markup,
    Message,
    Modal,
    Note,
    Option,
    Section,
    Select,
    Text,
    escape,
    is_web,
)
from integrations.slack import limits

Json = dict[str, Any]
T = TypeVar("T")
COLOURS = {"good": "#2eb67d", "info": "#36c5f0", "warning": "#ecb22e", "critical": "#e01e5a"}
_FENCE = 8  # two lines of ``` around a piece of code
_CODE_PIECES = 3
_TOKEN = re.compile(r"&(?:amp|lt|gt);|<[^<>\n]{1,3000}>")
_LONGEST_TOKEN = 3100


@dataclass(frozen=True)
class Rendered:
    """Arguments for chat.postMessage or chat.update, and texts too long for them, to be uploaded."""

    text: str
    blocks: list[Json]
    attachments: list[Json]
    files: tuple[tuple[str, str], ...] = ()


def render(message: Message, revision: str, *, uploads: bool = True) -> Rendered:
    """Render a message.

    Args:
        message: with the ids of its buttons filled in.
        revision: differs from render to render: Slack asks for new block ids on each update.
        uploads: whether long texts are uploaded beside the message; else they are cut, and say so.
    """
    pieces = [piece for block in message.blocks for piece in _block(block, uploads=uploads)]
    if len(pieces) > limits.BLOCKS_PER_MESSAGE:
        left_out = len(pieces) - limits.BLOCKS_PER_MESSAGE + 1
        pieces = [*pieces[: limits.BLOCKS_PER_MESSAGE - 1], _context([f"… and {left_out} more parts"])]
    blocks = [{**piece, "block_id": f"{number}-{revision}"} for number, piece in enumerate(pieces)]
    text = _shorten(escape(message.text), limits.MESSAGE_TEXT).strip() or "…"
    long = [b for b in message.blocks if uploads and isinstance(b, Code) and _is_long(b)]
    files = tuple((b.filename, b.text) for b in long)
    if message.severity and len(blocks) > 1:
        bar = {"color": COLOURS[message.severity], "blocks": blocks[1:], "fallback": text}
        return Rendered(text, blocks[:1], [bar], files)
    return Rendered(text, blocks, [], files)


def render_modal(modal: Modal, revision: str, channel: str = "") -> Json:
    inputs = [_input(field) for field in modal.inputs]
    shown = [piece for block in modal.blocks for piece in _block(block, uploads=False)]
    blocks = shown[: max(0, limits.BLOCKS_PER_VIEW - len(inputs))] + inputs
    private = json.dumps({"data": modal.private, "channel": channel}, separators=(",", ":"))
    if len(private) > limits.PRIVATE_METADATA:
        raise ValueError(f"Modal.private takes {len(private)} characters as JSON; Slack carries 3000.")
    return {
        "type": "modal",
        "callback_id": clamp(modal.view, limits.ID),
        "title": _plain(modal.title, limits.VIEW_TITLE),
        "submit": _plain(modal.submit, limits.VIEW_TITLE),
        "close": _plain("Cancel", limits.VIEW_TITLE),
        "private_metadata": private,
        "blocks": [
            {**block, "block_id": f"{number}-{revision}"}
            for number, block in enumerate(blocks[: limits.BLOCKS_PER_VIEW])
        ],
    }


def clamp(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def batched(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Pieces of at most `size` (itertools.batched arrives with Python 3.12)."""
    left = iter(values)
    while piece := list(islice(left, size)):
        yield piece


def _block(block: Block, *, uploads: bool) -> Iterator[Json]:
    return _code(block, uploads=uploads) if isinstance(block, Code) else _RENDERERS[block.kind](block)


def _header(header: Header) -> Iterator[Json]:
    if header.text.strip():
        yield {"type": "header", "text": _plain(header.text, limits.HEADER_TEXT)}


def _note(note: Note) -> Iterator[Json]:
    shown = [part for part in map(_mrkdwn, note.parts) if part.strip()]
    for parts in batched(shown, limits.CONTEXT_ELEMENTS):
        yield _context(parts)


def _divider(_divider: Divider) -> Iterator[Json]:
    yield {"type": "divider"}


def _actions(actions: Actions) -> Iterator[Json]:
    usable = [e for e in actions.elements if not isinstance(e, LinkButton) or _is_web(e.url)]
    for elements in batched(usable, limits.ACTIONS_ELEMENTS):
        yield {"type": "actions", "elements": _unique(map(_element, elements))}


def _section(section: Section) -> Iterator[Json]:
    for piece in split(_mrkdwn(section.text), limits.SECTION_TEXT):
        if piece.strip():
            yield {"type": "section", "text": _text(piece)}
    fields = [_shorten(_mrkdwn(field), limits.FIELD_TEXT) for field in section.fields]
    for batch in batched([f for f in fields if f.strip()], limits.SECTION_FIELDS):
        yield {"type": "section", "fields": [_text(field) for field in batch]}


def split(text: str, limit: int) -> list[str]:
    """Cut at line ends where there are any, so that no piece is longer than `limit`."""
    pieces: list[str] = []
    while len(text) > limit:
        cut = text.rfind("\n", 1, limit)
        cut = _before_token(text, limit) if cut < limit // 2 else cut
        pieces.append(text[:cut])
        text = text[cut:].removeprefix("\n")
    return [*pieces, text]


def _before_token(text: str, cut: int) -> int:
    """A place to cut mrkdwn, at `cut` or before it, that is not within an entity or a `<…>`."""
    token = _TOKEN.search(text, max(0, cut - _LONGEST_TOKEN))
    while token and token.end() <= cut:
        token = _TOKEN.search(text, token.end())
    return token.start() if token and 0 < token.start() < cut else cut


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: _before_token(text, limit - 1)] + "…"


def _is_web(url: str) -> bool:
    """Slack refuses a whole message for one link that is none."""
    return is_web(url) and len(url) <= limits.URL


def _is_long(code: Code) -> bool:
    return len(escape(code.text)) > _CODE_PIECES * (limits.SECTION_TEXT - _FENCE)


def _code(code: Code, *, uploads: bool) -> Iterator[Json]:
    # A fence within the text would end ours: a zero-width space keeps it apart.
    safe = escape(code.text).replace("```", "`\u200b``")
    pieces = [p for p in split(safe, limits.SECTION_TEXT - _FENCE) if p.strip()]
    for piece in pieces[:_CODE_PIECES]:
        yield {"type": "section", "text": _text(f"```\n{piece}\n```")}
    if len(pieces) > _CODE_PIECES:
        whole = f"all of it is in {escape(code.filename)} in the thread"
        yield _context([f"… {whole}" if uploads else f"… cut here; it has {len(code.text):,} characters"])


def _image(image: Image) -> Iterator[Json]:
    alt = clamp(image.alt.strip(), limits.ALT_TEXT) or "image"
    if image.file_id:
        yield {"type": "image", "slack_file": {"id": image.file_id}, "alt_text": alt}
    elif _is_web(image.url):
        yield {"type": "image", "image_url": image.url, "alt_text": alt}


def _element(element: Button | LinkButton | Select) -> Json:
    match element:
        case Button():
            return _button(element)
        case LinkButton():
            return {"type": "button", "text": _plain(element.text, limits.BUTTON_TEXT), "url": element.url}
        case Select():
            return _select(element)


def _button(button: Button) -> Json:
    made: Json = {
        "type": "button",
        "text": _plain(button.text, limits.BUTTON_TEXT),
        "action_id": clamp(f"{button.action}#{button.id}", limits.ID),
        "value": button.id or "-",
    }
    if button.style:
        made["style"] = button.style
    if button.confirm:
        made["confirm"] = _confirm(button.confirm)
    return made


def _select(select: Select) -> Json:
    made: Json = {
        "type": "static_select",
        "placeholder": _plain(select.placeholder, limits.PLACEHOLDER),
        "action_id": clamp(f"{select.action}#{select.id}", limits.ID),
        "options": [_option(option) for option in select.options[: limits.OPTIONS]]
        or [_option(Option(text="nothing to choose", value="-"))],
    }
    if select.confirm:
        made["confirm"] = _confirm(select.confirm)
    return made


def _option(option: Option) -> Json:
    return {
        "text": _plain(option.text, limits.OPTION_TEXT),
        "value": clamp(option.value, limits.OPTION_VALUE) or "-",
    }


def _confirm(confirm: Confirm) -> Json:
    return {
        "title": _plain(confirm.title, limits.CONFIRM_TITLE),
        "text": _plain(confirm.text, limits.CONFIRM_TEXT),
        "confirm": _plain(confirm.ok, limits.CONFIRM_BUTTON),
        "deny": _plain(confirm.cancel, limits.CONFIRM_BUTTON),
    }


def _input(field: Input) -> Json:
    element: Json = {"type": "plain_text_input", "action_id": field.id, "multiline": field.multiline}
    if field.people:
        element = {"type": "users_select", "action_id": field.id}
    elif field.options:
        options = [_option(option) for option in field.options[: limits.OPTIONS]]
        element = {"type": "static_select", "action_id": field.id, "options": options}
        chosen = [option for option in options if option["value"] == field.initial]
        if chosen:
            element["initial_option"] = chosen[0]
    elif field.initial:
        element["initial_value"] = clamp(field.initial, limits.SECTION_TEXT)
    made: Json = {
        "type": "input",
        "label": _plain(field.label, limits.LABEL),
        "element": element,
        "optional": field.optional,
    }
    if field.hint:
        made["hint"] = _plain(field.hint, limits.LABEL)
    return made


def _context(parts: Iterable[str]) -> Json:
    return {"type": "context", "elements": [_text(_shorten(part, limits.FIELD_TEXT)) for part in parts]}


def _text(mrkdwn: str) -> Json:
    """`verbatim`: else Slack turns names and addresses within plain text into mentions and links."""
    return {"type": "mrkdwn", "text": mrkdwn, "verbatim": True}


def _unique(elements: Iterable[Json]) -> list[Json]:
    """Slack refuses two elements with one action_id in a block; the same button twice is one button."""
    seen: dict[str, Json] = {}
    for number, element in enumerate(elements):
        seen.setdefault(element.get("action_id", f"link-{number}"), element)
    return list(seen.values())


def _plain(text: str, limit: int) -> Json:
    return {"type": "plain_text", "text": clamp(text.strip(), limit) or "…", "emoji": True}


def _mrkdwn(text: Text) -> str:
    return text.mrkdwn if isinstance(text, Markup) else escape(text)


_RENDERERS: dict[str, Callable[[Any], Iterator[Json]]] = {
    "header": _header,
    "section": _section,
    "note": _note,
    "divider": _divider,
    "actions": _actions,
    "image": _image,
}
