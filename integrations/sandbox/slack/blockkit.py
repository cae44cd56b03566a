"""Refuses what Slack refuses: each check returns Slack-worded problems with a JSON pointer."""

from collections.abc import Callable, Iterator
from typing import Any

from integrations.sandbox.slack import elements, limits
from integrations.sandbox.slack.problems import Problems

Check = Callable[[dict[str, Any], str, Problems], None]


def check_message_blocks(blocks: list[Any]) -> list[str]:
    return _check_blocks(blocks, limits.MESSAGE_BLOCKS, MESSAGE_BLOCKS)


def check_view(view: dict[str, Any]) -> list[str]:
    """Modals and home tabs, in the words of `views.open`."""
    problems = Problems()
    kind = view.get("type")
    if kind not in ("modal", "home"):
        problems.add("/view/type", "must be one of: modal, home")
    if kind == "modal":
        problems.text(view.get("title"), "/view/title", limits.VIEW_TITLE, plain=True)
        _check_modal_buttons(view, problems)
    problems.length(view.get("private_metadata"), "/view/private_metadata", limits.PRIVATE_METADATA)
    problems.length(view.get("callback_id"), "/view/callback_id", limits.CALLBACK_ID)
    if not isinstance(view.get("blocks"), list):
        problems.add("/view/blocks", "missing required field: blocks")
        return list(problems)
    return [*problems, *_check_blocks(view["blocks"], limits.VIEW_BLOCKS, VIEW_BLOCKS, "/view/blocks")]


def _check_modal_buttons(view: dict[str, Any], problems: Problems) -> None:
    for name, limit in (("submit", limits.VIEW_SUBMIT), ("close", limits.VIEW_CLOSE)):
        if view.get(name) is not None:
            problems.text(view[name], f"/view/{name}", limit, plain=True)
    blocks = view.get("blocks")
    has_input = isinstance(blocks, list) and any(
        isinstance(b, dict) and b.get("type") == "input" for b in blocks
    )
    if has_input and view.get("submit") is None:
        problems.add("/view/submit", "missing required field: submit (the view has input blocks)")


def elements_of(blocks: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every interactive element with the block that holds it."""
    for block in blocks:
        several = block.get("elements")
        held = [*(several if isinstance(several, list) else []), block.get("accessory"), block.get("element")]
        for element in held:
            if isinstance(element, dict) and "action_id" in element:
                yield block, element


def _check_blocks(
    blocks: list[Any], most: int, allowed: dict[str, Check], base: str = "/blocks"
) -> list[str]:
    problems = Problems()
    if len(blocks) > most:
        problems.add(base, f"no more than {most} items allowed")
    for index, block in enumerate(blocks):
        _check_block(block, f"{base}/{index}", allowed, problems)
    _check_unique_blocks(blocks, base, problems)
    _check_one_focus(blocks, base, problems)
    return list(problems)


def _check_block(block: Any, at: str, allowed: dict[str, Check], problems: Problems) -> None:
    if not isinstance(block, dict):
        problems.add(at, "must be an object")
        return
    check = allowed.get(str(block.get("type")))
    if check is None:
        problems.add(f"{at}/type", f"unsupported type: {block.get('type')}")
        return
    problems.length(block.get("block_id"), f"{at}/block_id", limits.BLOCK_ID)
    check(block, at, problems)


def _check_unique_blocks(blocks: list[Any], base: str, problems: Problems) -> None:
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        block_id = block.get("block_id") if isinstance(block, dict) else None
        if not isinstance(block_id, str):
            continue
        if block_id in seen:
            problems.add(f"{base}/{index}/block_id", f"block_id `{block_id}` already exists")
        seen.add(block_id)


def _check_one_focus(blocks: list[Any], base: str, problems: Problems) -> None:
    found = elements_of([b for b in blocks if isinstance(b, dict)])
    if sum(1 for _, element in found if element.get("focus_on_load") is True) > 1:
        problems.add(base, "only one element may set focus_on_load")


def _section(block: dict[str, Any], at: str, problems: Problems) -> None:
    if block.get("text") is None and not block.get("fields"):
        problems.add(at, "missing required field: text or fields")
    if block.get("text") is not None:
        problems.text(block["text"], f"{at}/text", limits.SECTION_TEXT)
    for index, field in enumerate(problems.items(block.get("fields"), f"{at}/fields", limits.SECTION_FIELDS)):
        problems.text(field, f"{at}/fields/{index}", limits.SECTION_FIELD_TEXT)
    if block.get("accessory") is not None:
        elements.check(block["accessory"], f"{at}/accessory", problems, elements.IN_SECTION)


def _header(block: dict[str, Any], at: str, problems: Problems) -> None:
    problems.text(block.get("text"), f"{at}/text", limits.HEADER_TEXT, plain=True)


def _divider(_block: dict[str, Any], _at: str, _problems: Problems) -> None:
    """Nothing in a divider can be wrong."""


def _actions(block: dict[str, Any], at: str, problems: Problems) -> None:
    held = problems.items(block.get("elements"), f"{at}/elements", limits.ACTIONS_ELEMENTS, least=1)
    for index, element in enumerate(held):
        elements.check(element, f"{at}/elements/{index}", problems, elements.IN_ACTIONS)
    seen: set[str] = set()
    for index, element in enumerate(held):
        action_id = element.get("action_id") if isinstance(element, dict) else None
        if not isinstance(action_id, str):
            continue
        if action_id in seen:
            problems.add(f"{at}/elements/{index}/action_id", f"action_id `{action_id}` already exists")
        seen.add(action_id)


def _context(block: dict[str, Any], at: str, problems: Problems) -> None:
    held = problems.items(block.get("elements"), f"{at}/elements", limits.CONTEXT_ELEMENTS, least=1)
    for index, element in enumerate(held):
        where = f"{at}/elements/{index}"
        if isinstance(element, dict) and element.get("type") == "image":
            elements.check(element, where, problems, {"image"})
        else:
            problems.text(element, where, limits.CONTEXT_TEXT)


def _image(block: dict[str, Any], at: str, problems: Problems) -> None:
    elements.check_image(block, at, problems)
    if block.get("title") is not None:
        problems.text(block["title"], f"{at}/title", limits.IMAGE_TITLE, plain=True)


def _input(block: dict[str, Any], at: str, problems: Problems) -> None:
    problems.text(block.get("label"), f"{at}/label", limits.INPUT_LABEL, plain=True)
    if block.get("hint") is not None:
        problems.text(block["hint"], f"{at}/hint", limits.INPUT_HINT, plain=True)
    elements.check(block.get("element"), f"{at}/element", problems, elements.IN_INPUT)


def _markdown(block: dict[str, Any], at: str, problems: Problems) -> None:
    problems.required_length(block.get("text"), f"{at}/text", limits.MARKDOWN_TEXT)


def _rich_text(block: dict[str, Any], at: str, problems: Problems) -> None:
    known = {"rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted"}
    if not isinstance(block.get("elements"), list):
        problems.add(f"{at}/elements", "missing required field: elements")
        return
    for index, element in enumerate(block["elements"]):
        if not isinstance(element, dict) or element.get("type") not in known:
            problems.add(f"{at}/elements/{index}/type", "unsupported rich text element")


def _table(block: dict[str, Any], at: str, problems: Problems) -> None:
    rows = problems.items(block.get("rows"), f"{at}/rows", 100, least=1)
    for index, row in enumerate(rows):
        problems.items(row, f"{at}/rows/{index}", 20, least=1)


ANYWHERE: dict[str, Check] = {
    "section": _section,
    "header": _header,
    "divider": _divider,
    "actions": _actions,
    "context": _context,
    "image": _image,
    "input": _input,
    "rich_text": _rich_text,
}
MESSAGE_BLOCKS: dict[str, Check] = {**ANYWHERE, "markdown": _markdown, "table": _table}
VIEW_BLOCKS: dict[str, Check] = ANYWHERE
