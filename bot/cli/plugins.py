"""signalbox plugins: what is installed, and what became of it."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.cells import cell
from bot.cli.local import load_local

if TYPE_CHECKING:
    from bot.core.switches import Switches


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Plugins.")
    group.command("list")(list_plugins)
    group.command("new")(new_plugin)
    group.command("disable")(disable)
    group.command("enable")(enable)
    app.add_typer(group, name="plugins")


def list_plugins() -> None:
    """List installed plugins. Exits with 1 when one was refused."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from bot.core.registry import load_plugins  # noqa: PLC0415

    registry = load_plugins(load_local().settings)
    table = Table("name", "status", "version", "detail")
    for status in registry.report:
        table.add_row(cell(status.name), status.status, status.version, cell(status.detail))
    Console().print(table)
    if any(status.status == "refused" for status in registry.report):
        raise typer.Exit(1)


def disable(
    name: Annotated[str, typer.Argument(help="As `signalbox plugins list` names it.")],
    why: Annotated[str, typer.Option(help="Told to whoever calls it meanwhile.")] = "",
) -> None:
    """Switch a plugin off, without a restart: people are told, its events wait."""
    off = _switches(name).turn_off(name, _me(), why)
    print(f"{off.words}. Its events wait until it is enabled.\n{_review(off.change)}")


def enable(
    name: Annotated[str, typer.Argument(help="As `signalbox plugins list` names it.")],
    why: Annotated[str, typer.Option(help="Kept with the change.")] = "",
) -> None:
    """Switch a plugin on again; what waited is worked on within a minute."""
    change = _switches(name).turn_on(name, _me(), why)
    again = f"{name} is on again; what waited is worked on within a minute.\n{_review(change)}"
    print(again if change else f"{name} is on.")


def _review(change: str) -> str:
    return f"It is an emergency change; say how it went: signalbox records review {change}"


def _switches(name: str) -> Switches:
    from bot.core.kernel import build_kernel  # noqa: PLC0415

    kernel = build_kernel(load_local().settings)
    if name not in kernel.registry.plugins:
        known = ", ".join(sorted(kernel.registry.plugins))
        raise typer.BadParameter(f"there is no plugin {name!r}; the plugins are {known}.")
    return kernel.switches


def _me() -> str:
    return f"cli:{getpass.getuser()}"


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
    typer.echo(
        f"\nNext: pip install -e '{place}[test]', then python -m pytest {place}, then signalbox plugins list."
    )
