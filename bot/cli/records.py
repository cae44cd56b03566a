"""signalbox records: changes, incidents, events and requests."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.local import load_local
from bot.core.errors import ConfigError

if TYPE_CHECKING:
    from bot.core.kernel import Kernel
    from bot.core.service_ledger import StoredRecord

_TYPES = ("change", "incident", "event", "service_request")
_MANY = 100_000


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Changes, incidents, events and service requests.")
    group.command("list")(list_records)
    group.command("show")(show)
    group.command("export")(export)
    group.command("report")(report)
    group.command("review")(review)
    app.add_typer(group, name="records")


def list_records(
    record_type: Annotated[str, typer.Option("--type", help=f"{', '.join(_TYPES)}; empty: all.")] = "",
    status: Annotated[str, typer.Option(help="Only those that stand at this status.")] = "",
    event: Annotated[str, typer.Option(help="Only those of one event, by its id.")] = "",
    about: Annotated[
        str, typer.Option(help="Only those of one thing: a model's version, a digest, words of the title.")
    ] = "",
    limit: Annotated[int, typer.Option(help="How many.")] = 50,
) -> None:
    """List records as they stand, newest first."""
    from rich.console import Console  # noqa: PLC0415  # see the package's docstring
    from rich.table import Column, Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    if record_type not in {"", *_TYPES}:
        raise typer.BadParameter(f"--type is one of {', '.join(_TYPES)}.")
    table = Table(
        Column("opened (UTC)", width=10), Column("id", no_wrap=True, min_width=32),
        Column("what", width=12), "title", box=None,
    )  # fmt: skip
    found = _kernel().ledger.find(
        record_type=record_type or None, status=status or None, event_id=event or None,
        limit=_MANY if about else limit,
    )  # fmt: skip
    for record in [record for record in found if not about or _is_about(record, about)][:limit]:
        opened = f"{record.opened_at:%Y-%m-%d %H:%M}"
        what = f"{record.type}, {record.status}".replace("_", " ")
        table.add_row(opened, record.id, what, Text(str(record.body["title"])))
    Console().print(table)


def _is_about(record: StoredRecord, about: str) -> bool:
    """Whether its title says so, or one of its items is named so, has that version, or a digest begun so."""
    return about.lower() in record.body["title"].lower() or any(
        about in {item["name"], item["version"]} or item["digest"].startswith(about)
        for item in record.body["items"]
    )


def show(record: Annotated[str, typer.Argument(help="Id of a record.")]) -> None:
    """Print a record as it stands: what, why, who authorised it, with what it was about, the way back."""
    found = _kernel().ledger.get(record)
    if found is None:
        raise ConfigError(f"There is no record {record!r}. `signalbox records list` shows them.")
    head = {"id": found.id, "type": found.type, "plugin": found.plugin, "event": found.event_id}
    print(json.dumps({**head, **found.body}, indent=2, ensure_ascii=False))


def export() -> None:
    """Print every version of every record as JSON Lines, oldest first, with its place in the audit chain."""
    for version in _kernel().ledger.history():
        print(json.dumps(version, ensure_ascii=False))


def report(days: Annotated[float, typer.Option(help="How far to look back.")] = 30.0) -> None:
    """Print how changing went: success, emergencies, lead time, incidents caused, reviews that are due."""
    from bot.core import service_report  # noqa: PLC0415

    kernel = _kernel()
    now = datetime.now(UTC)
    found = kernel.ledger.find(since=now - timedelta(days=days), limit=_MANY)
    figures = service_report.report(found, now, kernel.settings.records.review_days)
    print(json.dumps(dataclasses.asdict(figures), indent=2))


def review(
    change: Annotated[str, typer.Argument(help="Id of a change that was carried out.")],
    failed: Annotated[bool, typer.Option("--failed", help="It did not do what it was for.")] = False,  # noqa: FBT002
    lessons: Annotated[str, typer.Option(help="What is done otherwise next time.")] = "",
) -> None:
    """Say how a change went; it closes the change."""
    from bot.cli.changes import me  # noqa: PLC0415
    from bot.core.service_desk import Changes  # noqa: PLC0415
    from bot.core.service_ledger import Circumstances  # noqa: PLC0415
    from bot.core.service_models import RecordActor  # noqa: PLC0415

    kernel = _kernel()
    found = kernel.ledger.get(change)
    plugin = found.plugin if found else ""
    desk = Changes(kernel.ledger, Circumstances(plugin, RecordActor.of(me()), None), (), kernel.clock)
    reviewed = desk.review(change, successful=not failed, lessons=lessons)
    print(f"{reviewed.title}: {reviewed.status}.")


def _kernel() -> Kernel:
    from bot.core.kernel import build_kernel  # noqa: PLC0415

    return build_kernel(load_local().settings)
