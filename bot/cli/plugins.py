"""signalbox plugins: what is installed, and what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.local import load_local


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Plugins.")
    group.command("list")(list_plugins)
    group.command("new")(new_plugin)
    app.add_typer(group, name="plugins")


def list_plugins() -> None:
    """List installed plugins. Exits with 1 when one was refused."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from bot.core.registry import load_plugins  # noqa: PLC0415

    registry = load_plugins(load_local().settings)
    table = Table("name", "status", "version", "detail")
    for status in registry.report:
        table.add_row(status.name, status.status, status.version, status.detail)
    Console().print(table)
    if any(status.status == "refused" for status in registry.report):
        raise typer.Exit(1)


def new_plugin(
    name: Annotated[str, typer.Argument(help="Lower-case words joined by hyphens, e.g. on-duty.")],
    folder: Annotated[
        Path | None, typer.Option(help="Where its package is written; default: ./signalbox-NAME.")
    ] = None,
) -> None:
    """Write a new plugin with config, tests and README; its checks pass at once."""
    from bot.cli.scaffolding import create  # noqa: PLC0415  # see the package's docstring

    place = folder or Path(f"signalbox-{name}")
    for file in create(name, place):
        typer.echo(file)
    typer.echo(f"\nNext: pip install -e {place}, then python -m pytest {place}, then signalbox plugins list.")
