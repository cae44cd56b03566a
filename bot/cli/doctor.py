"""signalbox doctor: is everything set, reachable and allowed?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.cells import cell
from bot.cli.local import load_local

if TYPE_CHECKING:
    from rich.table import Table

    from bot.diagnosis import Check, SettingRow

_STYLE = {"ok": "green", "degraded": "yellow", "down": "bold red"}


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(
    all_settings: Annotated[bool, typer.Option("--all", help="Show defaults too.")] = False,  # noqa: FBT002  # a flag
) -> None:
    """Show the settings with their origin and check what they point at.

    Exits with 1 when something is amiss.
    """
    from rich.console import Console  # noqa: PLC0415  # see the package's docstring

    from bot import diagnosis  # noqa: PLC0415

    console = Console()
    loaded = load_local()
    rows = diagnosis.setting_rows(loaded)
    console.print(_settings([row for row in rows if all_settings or row.origin != "default"]))
    with console.status("asking database, Redis, web process and adapters"):
        checks = list(diagnosis.checks(loaded.settings))
    console.print(_checks(checks))
    if any(check.health.status != "ok" for check in checks):
        raise typer.Exit(1)


def _settings(rows: list[SettingRow]) -> Table:
    from rich.table import Table  # noqa: PLC0415

    table = Table("setting", "value", "from", title="Settings")
    for row in rows:
        table.add_row(cell(row.name), cell(row.value), cell(row.origin))
    return table


def _checks(checks: list[Check]) -> Table:
    from rich.table import Table  # noqa: PLC0415

    table = Table("what", "state", "what to do", title="Checks")
    for check in checks:
        state = cell(check.health.status, _STYLE[check.health.status])
        table.add_row(cell(check.name), state, cell(check.health.detail))
    return table
