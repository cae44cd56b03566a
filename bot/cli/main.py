"""All commands under one name; a wrong setting ends with a sentence, never with a traceback."""

from __future__ import annotations

import sys
from importlib import metadata

import typer

from bot.cli import audit, backup, console, doctor, extensions, inbox, plugins, privacy, records, run, tokens
from bot.core.errors import SignalboxError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Signalbox."
)
run.register(app)
plugins.register(app)
inbox.register(app)
audit.register(app)
backup.register(app)
privacy.register(app)
records.register(app)
tokens.register(app)
doctor.register(app)
console.register(app)


@app.command()
def version() -> None:
    """Print the version."""
    print(metadata.version("signalbox"))


def main() -> None:
    try:
        extensions.register(app, sys.argv[1:])
        app()
    except SignalboxError as exc:
        sys.stderr.write(f"signalbox: {exc}\n")
        sys.exit(2)
