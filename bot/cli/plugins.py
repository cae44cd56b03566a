"""signalbox plugins: what is installed, and what became of it."""

from __future__ import annotations

import typer

from bot.cli.local import load_local


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Plugins.")
    group.command("list")(list_plugins)
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
