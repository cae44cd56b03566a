"""signalbox slack: the workspaces that the app is installed in besides the home one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.cells import cell
from bot.cli.local import load_local
from bot.core.errors import ConfigError, Permanent

if TYPE_CHECKING:
    from bot.core.kernel import Kernel

app = typer.Typer(no_args_is_help=True, help="Workspaces that the Slack app is installed in.")


@app.command()
def workspaces() -> None:
    """List the workspaces that Signalbox was added to, and whether their tokens can be read."""
    from rich.console import Console  # noqa: PLC0415  # only this command draws
    from rich.table import Column, Table  # noqa: PLC0415

    table = Table(Column("team", no_wrap=True), "name", "since", "installed by", "token")
    with _kernel() as kernel:
        for one in kernel.installations.all():
            since = f"{one.installed_at:%Y-%m-%d}"
            table.add_row(one.team, cell(one.name), since, cell(one.installed_by), _token(kernel, one.team))
        home = kernel.settings.slack.home_team
    Console().print(table)
    typer.echo(
        f"home: {home or 'the workspace of SLACK_BOT_TOKEN; set slack.home_team to install in others'}"
    )


@app.command()
def forget(
    team: Annotated[str, typer.Argument(help="Team id, as `signalbox slack workspaces` lists it.")],
) -> None:
    """Delete a workspace's token: nothing is taken from there or sent there any more."""
    with _kernel() as kernel:
        forgotten = kernel.installations.forget(team, "cli")
    if forgotten is None:
        raise Permanent(
            f"Signalbox is not installed in {team!r}. `signalbox slack workspaces` lists where it is."
        )
    typer.echo(
        f"{forgotten.name or team} is forgotten. An administrator there removes the app itself, in Slack."
    )


@app.command("install-link")
def install_link(
    url: Annotated[
        str, typer.Option(help="Where people reach the web process; default: web.public_url.")
    ] = "",
) -> None:
    """Print a link that installs Signalbox in one more workspace, once, within ten minutes."""
    from bot.console.sign_in import Links  # noqa: PLC0415  # see the package's docstring
    from bot.console.slack_install import LINKS, new_link  # noqa: PLC0415
    from bot.slack.install import lacking  # noqa: PLC0415

    with _kernel() as kernel:
        missing = lacking(kernel.settings)
        if missing:
            raise ConfigError(f"Installing in other workspaces needs {', '.join(missing)}: docs/slack.md.")
        typer.echo(new_link(Links(kernel.db, kernel.clock, LINKS), url or kernel.settings.web.public_url))


def _token(kernel: Kernel, team: str) -> str:
    try:
        kernel.installations.token(team)
    except Permanent:
        return "can't be read: install again"
    return "stored"


@contextmanager
def _kernel() -> Iterator[Kernel]:
    from bot.core.kernel import build_kernel  # noqa: PLC0415

    kernel = build_kernel(load_local().settings)
    try:
        yield kernel
    finally:
        kernel.close()
