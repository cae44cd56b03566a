"""signalbox tokens: bearer tokens of the HTTP API."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.cells import cell
from bot.cli.local import load_local

if TYPE_CHECKING:
    from bot.core.tokens import Tokens


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Tokens of the HTTP API.")
    group.command("create")(create)
    group.command("list")(list_tokens)
    group.command("revoke")(revoke)
    app.add_typer(group, name="tokens")


def create(
    name: Annotated[str, typer.Argument(help="Who or what will use it, e.g. grafana.")],
    scope: Annotated[str, typer.Option(help="read, write or admin.")] = "read",
    days: Annotated[int, typer.Option(help="How long it holds.", min=1, max=3650)] = 90,
) -> None:
    """Make a token and print it: this is the only time it can be seen.

    To rotate without a gap make a new one, hand it out, then revoke the old one.
    """
    if scope not in {"read", "write", "admin"}:
        raise typer.BadParameter("--scope is read, write or admin.")
    token, secret = _tokens().create(name, scope, timedelta(days=days), "cli")  # type: ignore[arg-type]
    typer.echo(f"id {token.id}, scope {token.scope}, until {token.expires_at:%Y-%m-%d}", err=True)
    print(secret)


def list_tokens() -> None:
    """List tokens, newest first, with those that no longer hold."""
    from datetime import UTC, datetime  # noqa: PLC0415  # see the package's docstring

    from rich.console import Console  # noqa: PLC0415
    from rich.table import Column, Table  # noqa: PLC0415

    table = Table(Column("id", no_wrap=True, min_width=32), "name", "scope", "state", "until", "last used")
    now = datetime.now(UTC)
    for token in _tokens().all():
        state = "holds" if token.holds(now) else "revoked" if token.revoked_at else "expired"
        used = f"{token.used_at:%Y-%m-%d}" if token.used_at else "never"
        table.add_row(token.id, cell(token.name), token.scope, state, f"{token.expires_at:%Y-%m-%d}", used)
    Console().print(table)


def revoke(token_id: str) -> None:
    """Revoke a token at once, in every process."""
    print(f"{_tokens().revoke(token_id, 'cli').name} may no longer ask.")


def _tokens() -> Tokens:
    from bot.core.kernel import build_kernel  # noqa: PLC0415

    return build_kernel(load_local().settings).tokens
