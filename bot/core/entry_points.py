"""What installed packages bring along, found by the entry points that they declare."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from bot.core.errors import ConfigError


def load(group: str, what: str, found: Iterable[EntryPoint] | None = None) -> dict[str, Any]:
    """By name, in the order of their names; `what` says what one of them is, e.g. "executor".

    Raises:
        ConfigError: one can't be imported, or two have one name: neither may take the other's place unseen.
    """
    loaded: dict[str, Any] = {}
    values: dict[str, str] = {}
    for entry in sorted(entry_points(group=group) if found is None else found, key=lambda e: e.name):
        if values.setdefault(entry.name, entry.value) != entry.value:
            raise ConfigError(
                f"Two installed packages bring the {what} {entry.name!r}: {values[entry.name]} and "
                f"{entry.value}. Uninstall one of them."
            )
        loaded[entry.name] = _import(entry, what)
    return loaded


def _import(entry: EntryPoint, what: str) -> Any:
    try:
        return entry.load()
    except Exception as exc:  # what is installed may raise anything
        why = str(exc) if isinstance(exc, ImportError) else f"{type(exc).__name__}: {exc}"
        raise ConfigError(
            f"The {what} {entry.name!r} ({entry.value}) can't be imported: {why}. "
            "Install what it needs or uninstall it."
        ) from exc
