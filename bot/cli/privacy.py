"""signalbox privacy: forget a person, a ticket or a customer."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.local import load_local


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="What is kept about people.")
    group.callback()(_explain)
    group.command("erase")(erase)
    app.add_typer(group, name="privacy")


def _explain() -> None:
    """What is kept about people."""


def erase(
    terms: Annotated[list[str], typer.Argument(help="Ids and names: SUP-17, U0ABC123, ann@example.com.")],
    reason: Annotated[str, typer.Option(help="Kept in the audit trail; no personal data.")] = "on request",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002  # a flag
) -> None:
    """Erase every text that names one of the terms, in the inbox, records, messages and the audit trail.

    It can't be undone. Slack, Jira, log files, files of the data directory and backups are yours to clear.
    """
    from bot.core.kernel import build_kernel  # noqa: PLC0415  # see the package's docstring
    from bot.core.privacy import Privacy  # noqa: PLC0415

    if not yes:
        typer.confirm(f"Erase what names {', '.join(terms)}? This can't be undone.", abort=True)
    kernel = build_kernel(load_local().settings)
    changed = Privacy(kernel.db, kernel.audit).erase(terms, "cli", reason)
    for table, count in sorted(changed.items()):
        print(f"{table}: {count}")
    if changed["in work"]:
        print("Events that are still being worked on were left alone: run this again later.")
        raise typer.Exit(1)
    print("Nothing more names them." if changed else "Nothing named them.")
