"""Command groups of plugins and third parties: entry points `signalbox.commands`, each naming a Typer app.

One is imported only when its group is asked for, so that the others cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import metadata

import typer

from bot.core.errors import ConfigError

GROUP = "signalbox.commands"


def register(
    app: typer.Typer, arguments: Sequence[str], found: Iterable[metadata.EntryPoint] | None = None
) -> None:
    """Add all groups to `app`; load the one that the arguments name."""
    for entry in sorted(metadata.entry_points(group=GROUP) if found is None else found):
        wanted = entry.name in arguments[:1]
        group = _load(entry) if wanted else typer.Typer(help=f"Commands of {entry.value.partition(':')[0]}.")
        if not wanted:
            # Without a command, a group is not listed.
            group.callback(invoke_without_command=True)(_nothing)
        app.add_typer(group, name=entry.name)


def _load(entry: metadata.EntryPoint) -> typer.Typer:
    try:
        loaded = entry.load()
    except Exception as exc:  # third-party code: whatever it raises is told as a sentence
        raise ConfigError(
            f"The command group '{entry.name}' can't be loaded from {entry.value}: "
            f"{type(exc).__name__}: {exc}. Reinstall or remove the package that provides it."
        ) from exc
    if not isinstance(loaded, typer.Typer):
        raise ConfigError(
            f"The command group '{entry.name}' ({entry.value}) is no Typer app. Correct its entry point."
        )
    return loaded


def _nothing() -> None:
    """Stands in for a group that was not asked for."""
