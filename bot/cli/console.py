"""signalbox console: a link to sign in with."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.local import load_local


def register(app: typer.Typer) -> None:
    app.command()(console)


def console(
    url: Annotated[
        str,
        typer.Option(help="Where people reach the web process; default: web.public_url, or this machine."),
    ] = "",
) -> None:
    """Print a link that signs one person in to the console, once, within ten minutes."""
    from bot.console.sign_in import Links  # noqa: PLC0415  # see the package's docstring
    from bot.core.database import Database  # noqa: PLC0415

    settings = load_local().settings
    db = Database(settings.resolved_database_url())
    try:
        code = Links(db).make()
    finally:
        db.close()
    base = (url or settings.web.public_url or f"http://127.0.0.1:{settings.web.port}").rstrip("/")
    print(f"{base}/sign-in?code={code}")
