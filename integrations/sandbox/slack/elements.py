"""Checks of Block Kit's interactive elements."""

from collections.abc import Callable, Collection
from typing import Any

from integrations.sandbox.slack import limits
from integrations.sandbox.slack.problems import Problems

Check = Callable[[dict[str, Any], str, Problems], None]

_REMOTE_SELECTS = {"external_select", "users_select", "conversations_select", "channels_select"}
_SELECTS = {
    "static_select",
    *_REMOTE_SELECTS,
    *(f"multi_{name}" for name in ("static_select", *_REMOTE_SELECTS)),
}
_PICKERS = {"datepicker", "timepicker", "datetimepicker"}
_CHOICES = {"checkboxes", "radio_buttons"}
_TYPED = {"plain_text_input", "email_text_input", "url_text_input", "number_input", "rich_text_input"}

IN_SECTION = {"button", "overflow", "image", *_SELECTS, *_PICKERS, *_CHOICES}
IN_ACTIONS = {"button", "overflow", *_SELECTS, *_PICKERS, *_CHOICES}
IN_INPUT = {*_TYPED, *_SELECTS, *_PICKERS, *_CHOICES, "file_input"}


def check(element: Any, at: str, problems: Problems, allowed: Collection[str]) -> None:
    if not isinstance(element, dict):
        problems.add(at, "missing required element")
        return
    kind = str(element.get("type"))
    if kind not in allowed:
        problems.add(f"{at}/type", f"unsupported type: {kind}")
        return
    problems.length(element.get("action_id"), f"{at}/action_id", limits.ACTION_ID)
    if element.get("placeholder") is not None:
        problems.text(element["placeholder"], f"{at}/placeholder", limits.PLACEHOLDER, plain=True)
    if element.get("confirm") is not None:
        _check_confirm(element["confirm"], f"{at}/confirm", problems)
    _KINDS.get(kind, _nothing_more)(element, at, problems)


def check_image(image: dict[str, Any], at: str, problems: Problems) -> None:
    if image.get("slack_file") is None:
        problems.required_length(image.get("image_url"), f"{at}/image_url", limits.IMAGE_URL)
    problems.required_length(image.get("alt_text"), f"{at}/alt_text", limits.IMAGE_ALT_TEXT)


def _nothing_more(_element: dict[str, Any], _at: str, _problems: Problems) -> None:
    """Elements without fields of their own to check."""


def _check_confirm(confirm: Any, at: str, problems: Problems) -> None:
    if not isinstance(confirm, dict):
        problems.add(at, "must be an object")
        return
    problems.text(confirm.get("title"), f"{at}/title", limits.CONFIRM_TITLE, plain=True)
    problems.text(confirm.get("text"), f"{at}/text", limits.CONFIRM_TEXT)
    for name in ("confirm", "deny"):
        if confirm.get(name) is not None:
            problems.text(confirm[name], f"{at}/{name}", limits.CONFIRM_BUTTON, plain=True)


def _button(element: dict[str, Any], at: str, problems: Problems) -> None:
    problems.text(element.get("text"), f"{at}/text", limits.BUTTON_TEXT, plain=True)
    problems.length(element.get("value"), f"{at}/value", limits.BUTTON_VALUE)
    problems.length(element.get("url"), f"{at}/url", limits.BUTTON_URL)
    if element.get("style") not in (None, "primary", "danger"):
        problems.add(f"{at}/style", "must be one of: primary, danger")


def _options(element: dict[str, Any], at: str, problems: Problems, most: int) -> None:
    options = problems.items(element.get("options"), f"{at}/options", most, least=1)
    for index, option in enumerate(options):
        _option(option, f"{at}/options/{index}", problems)


def _option(option: Any, at: str, problems: Problems) -> None:
    if not isinstance(option, dict):
        problems.add(at, "must be an object")
        return
    problems.text(option.get("text"), f"{at}/text", limits.OPTION_TEXT)
    problems.required_length(option.get("value"), f"{at}/value", limits.OPTION_VALUE)


def _static_select(element: dict[str, Any], at: str, problems: Problems) -> None:
    if element.get("option_groups") is None:
        _options(element, at, problems, limits.SELECT_OPTIONS)
        return
    groups = problems.items(element["option_groups"], f"{at}/option_groups", limits.OPTION_GROUPS, least=1)
    for index, group in enumerate(groups):
        where = f"{at}/option_groups/{index}"
        if not isinstance(group, dict):
            problems.add(where, "must be an object")
            continue
        problems.text(group.get("label"), f"{where}/label", limits.OPTION_TEXT, plain=True)
        _options(group, where, problems, limits.SELECT_OPTIONS)


def _choices(element: dict[str, Any], at: str, problems: Problems) -> None:
    _options(element, at, problems, limits.CHOICE_OPTIONS)


def _overflow(element: dict[str, Any], at: str, problems: Problems) -> None:
    _options(element, at, problems, limits.OVERFLOW_OPTIONS)


def _text_input(element: dict[str, Any], at: str, problems: Problems) -> None:
    problems.length(element.get("initial_value"), f"{at}/initial_value", limits.SECTION_TEXT)


_KINDS: dict[str, Check] = {
    "button": _button,
    "image": check_image,
    "overflow": _overflow,
    "static_select": _static_select,
    "multi_static_select": _static_select,
    "checkboxes": _choices,
    "radio_buttons": _choices,
    "plain_text_input": _text_input,
}
