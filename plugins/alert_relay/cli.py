"""signalbox alerts: routing tried on past groups, and figures, without the chat."""

from __future__ import annotations

import json
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from bot.cli.local import load_local
from bot.core.database import Database
from bot.core.errors import ConfigError
from bot.core.events import utc_now
from bot.core.memory import Documents, Records
from bot.core.texts import printable
from plugins.alert_relay import simulation
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.plugin import AlertRelay
from plugins.alert_relay.stats import gather, report
from plugins.alert_relay.stats import picture as drawing

app = typer.Typer(no_args_is_help=True, help="Try alert routes on past groups; figures of the on-call work.")
_MOST = 100_000
Days = Annotated[int, typer.Option(min=1, max=3650, help="How far to look back.")]


@app.command()
def simulate(
    config: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The settings to try.")],
    days: Days = 30,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,  # noqa: FBT002  # an option of the command line
) -> None:
    """Say which past groups other settings would send elsewhere, hold back or call somebody else for."""
    found = simulation.compare(_past(days), _present(), read(config))
    if as_json:
        typer.echo(json.dumps(_as_json(found), indent=2))
        return
    typer.echo(f"{found.groups} groups in {days} days, {len(found.changes)} would change.")
    for difference, number in found.by_way():
        typer.echo(f"{number:6}  {difference}")
    for change in found.changes[:20]:
        typer.echo(f"  {change.past.at:%Y-%m-%d %H:%M}  {printable(change.past.title)}")


@app.command()
def stats(
    days: Days = 30,
    service: Annotated[str, typer.Option(help="Of one service only.")] = "",
    picture: Annotated[Path | None, typer.Option(help="A PNG to draw.")] = None,
) -> None:
    """Print the figures of the on-call work as one JSON object."""
    db = _database()
    found = gather.gather(
        _present(),
        Documents(db, AlertRelay.name),
        Records(db, AlertRelay.name),
        now=utc_now(),
        days=days,
        service=service,
    )
    typer.echo(json.dumps(report.as_json(found), indent=2))
    if picture is not None:
        picture.write_bytes(drawing.png(found))


def read(path: Path) -> AlertRelayConfig:
    """The section [plugins.alert-relay] of a settings file."""
    try:
        whole = tomllib.loads(path.read_text(encoding="utf-8"))
        section = {name: whole[name] for name in AlertRelay.sections if name in whole}
        section |= whole.get("plugins", {}).get(AlertRelay.name, {})
        return AlertRelayConfig.model_validate(section)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path} is not TOML: {exc}. Correct that line.") from exc
    except ValidationError as exc:
        raise ConfigError(f"{path}: [plugins.{AlertRelay.name}] does not hold: {exc}") from exc


def _present() -> AlertRelayConfig:
    section: dict[str, Any] = load_local().settings.plugins.get(AlertRelay.name, {})
    return AlertRelayConfig.model_validate(section)


def _past(days: int) -> list[simulation.Past]:
    fired = Records(_database(), AlertRelay.name).find(
        "fired", since=utc_now() - timedelta(days=days), limit=_MOST
    )
    return list(simulation.read(fired))


def _database() -> Database:
    return Database(load_local().settings.resolved_database_url())


def _as_json(found: simulation.Outcome) -> dict[str, Any]:
    changes = [
        {
            "title": change.past.title,
            "at": change.past.at.isoformat(),
            "labels": dict(change.past.labels),
            "before": change.before._asdict(),
            "after": change.after._asdict(),
        }
        for change in found.changes
    ]
    return {"groups": found.groups, "changes": changes}
