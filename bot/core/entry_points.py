"""What installed packages bring along, found by the entry points that they declare."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from bot.core.errors import ConfigError


def load(group: str, what: str, found: Iterable[EntryPoint] | None = None) -> dict[str, Any]:
    """By name, in the order of their names; `what` says what one of them is, e.g. "executor".

    Raises:
        ConfigError: one can't be imported.
    """
    loaded: dict[str, Any] = {}
    for entry in sorted(entry_points(group=group) if found is None else found, key=lambda e: e.name):
        try:
            loaded[entry.name] = entry.load()
        except ImportError as exc:
            raise ConfigError(
                f"The {what} {entry.name!r} ({entry.value}) can't be imported: {exc}. "
                "Install what it needs or uninstall it."
            ) from exc
    return loaded
