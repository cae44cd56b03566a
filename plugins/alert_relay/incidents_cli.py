"""signalbox incidents: list them, and export a post-mortem."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.local import load_local
from bot.core.database import Database
from bot.core.errors import SignalboxError
from bot.core.events import utc_now
from bot.core.memory import Documents, Records
from plugins.alert_relay import words
from plugins.alert_relay.incidents import postmortem, timeline
from plugins.alert_relay.incidents.ledger import Ledger

app = typer.Typer(no_args_is_help=True, help="Incidents and their post-mortems.")
_PLUGIN = "alert-relay"


class Format(StrEnum):
    markdown = "markdown"
    json = "json"


@app.command("list")
def show(
    all_of_them: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,  # noqa: FBT002  # an option of the command line
) -> None:
    """Show the open incidents, the newest last."""
    for known in Ledger(Documents(_database(), _PLUGIN)).all():
        if all_of_them or known.firing:
            state = f"over {known.ended_at:%Y-%m-%d %H:%M}" if known.ended_at else "open"
            size = words.count(len(known.members), "group")
            typer.echo(f"{known.id:9} {known.started_at:%Y-%m-%d %H:%M}  {state:21} {size:10} {known.title}")


@app.command()
def export(
    key: Annotated[str, typer.Argument(help="Such as INC-12.")],
    form: Annotated[Format, typer.Option("--format", help="For people or for programs.")] = Format.markdown,
    out: Annotated[Path | None, typer.Option(help="A file; otherwise it is printed.")] = None,
) -> None:
    """Write an incident's post-mortem with its timeline."""
    db, now = _database(), utc_now()
    try:
        known = Ledger(Documents(db, _PLUGIN)).asked(key)
    except SignalboxError as exc:
        typer.echo(str(exc), err=True)
        sys.exit(1)
    entries = timeline.of(known, Records(db, _PLUGIN), now)
    if form is Format.json:
        text = json.dumps(postmortem.as_json(known, entries, now), indent=2) + "\n"
    else:
        text = postmortem.markdown(known, entries, now)
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")


def _database() -> Database:
    return Database(load_local().settings.resolved_database_url())
