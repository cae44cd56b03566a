"""A plugin's settings as a form, and what was entered as values: for the chat and the console. Pure.

Fields of plain types are offered: switches, numbers, words, times, choices and lists of words. Tables, paths
and secrets stay in signalbox.toml and the environment, and so does a field with
`json_schema_extra={"form": False}`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import time
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from bot.core.declare import PluginConfig
from bot.core.messages import Input, Modal, Note, Option

_ON, _OFF = "on", "off"
_PLAIN = (int, float, str, time)
_TITLE = 24


def offered(config: type[PluginConfig], fixed: Collection[str]) -> dict[str, FieldInfo]:
    """Fields that may be changed in a form, by name."""
    return {
        name: field
        for name, field in config.model_fields.items()
        if name not in fixed and _is_plain(field.annotation) and _is_wanted(field)
    }


def form(plugin: str, config: PluginConfig, fixed: Mapping[str, str], version: int) -> Modal:
    """`fixed`: fields that the environment sets, with its variables; they are named, not asked for."""
    fields = offered(type(config), fixed)
    told = config.model_dump(mode="json")
    notes = tuple(f"{field} is set by {variable}, which wins." for field, variable in sorted(fixed.items()))
    return Modal(
        view="settings",
        title=plugin[:_TITLE],
        blocks=(Note(parts=notes[:10]),) if notes else (),
        inputs=tuple(_input(name, field, told[name]) for name, field in fields.items()),
        private={"plugin": plugin, "version": version},
    )


def entered(config: PluginConfig, values: Mapping[str, Any], fixed: Collection[str]) -> dict[str, Any]:
    """What differs from the present settings, as JSON has it; whether it does is for the model to say."""
    told = config.model_dump(mode="json")
    return dict(_changed(offered(type(config), fixed), told, values))


def _changed(
    fields: Mapping[str, FieldInfo], told: Mapping[str, Any], values: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    for name, field in fields.items():
        text = str(values.get(name) or "").strip()
        if text != _text(told[name]):
            yield name, _value(field.annotation, text)


def _input(name: str, field: FieldInfo, value: Any) -> Input:
    return Input(
        id=name,
        label=name.replace("_", " "),
        hint=field.description or "",
        initial=_text(value),
        options=tuple(Option(text=choice, value=choice) for choice in _choices(field.annotation)),
        optional=field.annotation is str or get_origin(field.annotation) is tuple,
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return _ON if value else _OFF
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) and value == int(value) else str(value)


def _value(annotation: Any, text: str) -> Any:
    if annotation is bool:
        return text == _ON
    if get_origin(annotation) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _choices(annotation: Any) -> tuple[str, ...]:
    if annotation is bool:
        return _ON, _OFF
    return tuple(get_args(annotation)) if get_origin(annotation) is Literal else ()


def _is_plain(annotation: Any) -> bool:
    if get_origin(annotation) is Literal:
        return all(isinstance(choice, str) for choice in get_args(annotation))
    words = get_origin(annotation) is tuple and get_args(annotation) == (str, ...)
    return words or annotation is bool or annotation in _PLAIN


def _is_wanted(field: FieldInfo) -> bool:
    extra = field.json_schema_extra
    return not (isinstance(extra, dict) and extra.get("form") is False)
