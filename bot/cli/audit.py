"""signalbox audit: the trail of who changed what, and whether it is still what was written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.local import load_local
from bot.core.texts import shown_json

if TYPE_CHECKING:
    from bot.core.audit_chain import ChainReport, Head, Link
    from bot.core.kernel import Kernel


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="The audit trail.")
    group.command("verify")(verify)
    group.command("export")(export)
    group.command("head")(head)
    app.add_typer(group, name="audit")


def verify(
    anchor: Annotated[
        list[str] | None,
        typer.Option(help="A head noted earlier (position:hash) that the chain must pass through."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Check an export (JSON Lines) instead of the database.")
    ] = None,
) -> None:
    """Walk the hash chain. Exits with 1 when a record was changed, is missing or was moved."""
    report = _check(file, [_head(text) for text in anchor or ()])
    for fault in report.faults:
        print(fault)
    print(f"{report.rows} rows, {report.erased} of them erased; head {report.head}")
    if not report.ok:
        print("The audit trail was tampered with. Compare it with the newest backup that verifies.")
        raise typer.Exit(1)
    print("The audit trail is whole.")


def export() -> None:
    """Print the audit trail as JSON Lines, with what it takes to verify it elsewhere."""
    from bot.core.audit_chain import GENESIS  # noqa: PLC0415  # see the package's docstring

    previous = GENESIS
    for link in _kernel().audit.links():
        print(shown_json(_line(link, previous)))
        previous = link.hash


def head() -> None:
    """Print the end of the chain; noted elsewhere, it shows later whether the trail was cut or rewritten."""
    print(_kernel().audit.head())


def _check(file: Path | None, anchors: list[Head]) -> ChainReport:
    from bot.core import audit_chain  # noqa: PLC0415

    if file is None:
        kernel = _kernel()
        report = kernel.audit.verify(anchors)
        for fault in kernel.ledger.faults():
            report.add(fault)
        return report
    return audit_chain.verify(_read(file), anchors)


def _line(link: Link, previous: str) -> dict[str, Any]:
    from datetime import UTC, datetime  # noqa: PLC0415

    fields = {name: getattr(link, name) for name in type(link).__slots__}
    at = datetime.fromtimestamp(link.at / 1_000_000, UTC)
    stamp = {"schema_version": 1, "record_type": "audit", "ts": at.isoformat()}
    return {**stamp, **fields, "prev_hash": previous}


def _read(file: Path) -> Iterator[Link]:
    from bot.core.audit_chain import Link  # noqa: PLC0415
    from bot.core.errors import ConfigError  # noqa: PLC0415

    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                record = json.loads(line)
                yield Link(**{name: record[name] for name in Link.__slots__})
            except (ValueError, KeyError, TypeError) as exc:
                raise ConfigError(
                    f"{file}, line {number} is no audit record: {exc}. "
                    "Expected: what `signalbox audit export` prints."
                ) from exc


def _head(text: str) -> Head:
    from bot.core.audit_chain import Head  # noqa: PLC0415

    try:
        return Head.parse(text)
    except ValueError as exc:
        raise typer.BadParameter(f"{exc}. Use what `signalbox audit head` printed.") from exc


def _kernel() -> Kernel:
    from bot.core.kernel import build_kernel  # noqa: PLC0415

    return build_kernel(load_local().settings)
