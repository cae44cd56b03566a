"""signalbox demo: a made-up history to look at, and a fault to heal."""

from __future__ import annotations

import getpass
from typing import Any

import httpx2
import typer

from bot import demo
from bot.cli.local import load_local
from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.events import utc_now
from integrations.sandbox.incident.cli import incident

app = typer.Typer(no_args_is_help=True, help="Shows what Signalbox does, on this machine.")
app.command()(incident)
_TICKETS = (
    ("I was charged twice for my order", "Two payments of 49 EUR on Monday. Please refund one of them."),
    ("The reset link does not work", "I forgot my password, and the link in your mail says it has expired."),
    ("Something with the export", "It is odd since yesterday."),
)
_SCENARIO = "checkout-errors"


@app.command()
def seed() -> None:
    """Fill a new installation with half a year of made-up work, marked as such, so that all pages show some.

    Refused where something is real: another chat, helpdesk or Alertmanager than the sandbox's is connected,
    it is a production environment, or work was done there.
    """
    settings = load_local().settings
    db, now = Database(settings.resolved_database_url()), utc_now()
    try:
        db.migrate()
        demo.require_empty(settings, db)
        demo.mark(db, now)  # first: what is cut off is marked too
        demo.fill(db, now, settings.data_dir, demo.load())
        Audit(db).record(f"cli:{getpass.getuser()}", "demo.seed", "demo data")
    finally:
        db.close()
    typer.echo("Half a year of made-up work stands in the console; `signalbox console` prints a link to it.")
    typer.echo(_live(settings.web.sandbox_url))


def _live(sandbox: str) -> str:
    """In a running sandbox: three tickets, and an alert that fires."""
    if not sandbox:
        return "Start `signalbox up`, and file tickets and fire alerts in the sandbox."
    try:
        for summary, description in _TICKETS:
            _post(sandbox, "jira/issues", user="mia", summary=summary, description=description)
        _post(sandbox, "alerts/fire", scenario=_SCENARIO)
    except httpx2.HTTPError:
        return (
            "Nothing was filed and nothing fires, for the sandbox is not running: `signalbox up` starts it."
        )
    return f"Three tickets were filed and an alert fires: {sandbox}"


def _post(sandbox: str, path: str, **body: Any) -> None:
    httpx2.post(f"{sandbox}/page/{path}", json=body, timeout=10).raise_for_status()
