"""Command groups of plugins and third parties: entry points `signalbox.commands`, each naming a Typer app.

One is imported only when its group is asked for, so that the others cost nothing.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import cast

import typer

from bot.core.errors import ConfigError

GROUP = "signalbox.commands"


def register(
    app: typer.Typer, arguments: Sequence[str], found: Iterable[metadata.EntryPoint] | None = None
) -> None:
    """Add all groups to `app`; load the one that the arguments name."""
    for entry in sorted(metadata.entry_points(group=GROUP) if found is None else found):
        wanted = entry.name in arguments[:1]
        group = _load(entry) if wanted else typer.Typer(help=_described(entry))
        if not wanted:
            # Without a command, a group is not listed.
            group.callback(invoke_without_command=True)(_nothing)
        app.add_typer(group, name=entry.name)


def _described(entry: metadata.EntryPoint) -> str:
    """The group's help, else the first sentence of its module; read without running it, which may cost."""
    try:
        found = importlib.util.find_spec(entry.module)
        tree = ast.parse(Path(found.origin).read_text(encoding="utf-8") if found and found.origin else "")
    except (ImportError, OSError, SyntaxError):  # loading it says what is wrong
        tree = ast.Module(body=[], type_ignores=[])
    line = _help(tree, entry.attr) or (ast.get_docstring(tree) or "").partition("\n")[0]
    said = line.partition(": ")[2] if line.startswith("signalbox ") else line
    said = said.partition(". ")[0].rstrip(".")
    return f"{said[:1].upper()}{said[1:]}." if said else f"Commands of {entry.module}."


def _help(tree: ast.Module, name: str) -> str:
    """What `name = typer.Typer(help="…")` says."""
    made = [node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)]
    keywords = (
        (keyword.arg, keyword.value)
        for node in made
        if name in {target.id for target in node.targets if isinstance(target, ast.Name)}
        for keyword in cast("ast.Call", node.value).keywords
    )
    return next((str(v.value) for arg, v in keywords if arg == "help" and isinstance(v, ast.Constant)), "")


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
