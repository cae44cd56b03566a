"""signalbox inbox, trace: look at what came in and give a dead letter another try."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.cells import cell
from bot.cli.local import load_local
from bot.core.texts import shown_json

if TYPE_CHECKING:
    from bot.core.kernel import Kernel


def register(app: typer.Typer) -> None:
    inbox = typer.Typer(no_args_is_help=True, help="Events and dead letters.")
    inbox.command("list")(list_runs)
    inbox.command("show")(show)
    inbox.command("replay")(replay)
    app.add_typer(inbox, name="inbox")
    app.command("trace")(show)


def list_runs(
    status: Annotated[str, typer.Option(help="pending, leased, done or dead; empty: all.")] = "",
    limit: Annotated[int, typer.Option(help="How many.")] = 50,
) -> None:
    """List runs, newest first."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Column, Table  # noqa: PLC0415

    if status not in {"", "pending", "leased", "done", "dead"}:
        raise typer.BadParameter("--status is pending, leased, done or dead.")
    run_id = Column("run", no_wrap=True, min_width=34)
    table = Table("received (UTC)", run_id, "event", "handler", "status", "tries", "error")
    for run in _kernel().inbox.runs(status=status or None, limit=limit):  # type: ignore[arg-type]
        received = f"{run.received_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(
            received,
            run.id,
            cell(f"{run.kind} {run.subject}"),
            run.handler,
            run.status,
            str(run.attempts),
            cell(run.error or ""),
        )
    Console().print(table)


def show(event_id: str) -> None:
    """Show one event from delivery to effects; the beginning of its id is enough."""
    trace = _kernel().trace(event_id)
    print(shown_json(dataclasses.asdict(trace), indent=2))


def replay(run_id: str) -> None:
    """Give a dead letter a new set of attempts; the sweeper hands it over within seconds."""
    kernel = _kernel()
    kernel.inbox.replay(run_id)
    kernel.audit.record("cli", "inbox.replay", run_id)
    print(f"{run_id} is pending again.")


def _kernel() -> Kernel:
    from bot.core.kernel import build_kernel  # noqa: PLC0415

    return build_kernel(load_local().settings)
