"""signalbox backup: make archives, prove that they can be restored, restore them, forget the old."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.local import load_local

if TYPE_CHECKING:
    from bot.backup.manifest import Manifest
    from bot.backup.service import Backups

Archive = Annotated[str, typer.Argument(help="A file, the name of an archive, or s3:NAME.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Backups that were restored.")
    group.command("create")(create)
    group.command("verify")(verify)
    group.command("restore")(restore)
    group.command("prune")(prune)
    group.command("list")(list_archives)
    group.command("key")(key)
    app.add_typer(group, name="backup")


def create(
    prune_too: Annotated[bool, typer.Option("--prune", help="Then delete what is too old.")] = False,  # noqa: FBT002  # a flag
) -> None:
    """Make an archive of database, models, MLflow's store and settings without secrets."""
    backups = _backups()
    print(backups.create())
    if prune_too:
        backups.prune()


def verify(archive: Annotated[str, typer.Argument(help="Default: the newest one.")] = "") -> None:
    """Restore into scratch and check integrity, audit chain, records, models and a golden batch."""
    backups = _backups()
    with tempfile.TemporaryDirectory() as scratch:
        tested = backups.verify(_find(backups, archive, Path(scratch)) if archive else None)
    models = ", ".join(tested.models) or "no model serves"
    print(
        f"{tested.archive} was restored in {tested.rto:.1f} s (RTO), its data is {tested.rpo / 3600:.1f} h "
        f"old (RPO). {tested.audit_rows} audit rows hold; models: {models}."
    )


def restore(archive: Archive) -> None:
    """Bring an archive back into an empty data directory and an empty database."""
    backups = _backups()
    with tempfile.TemporaryDirectory() as scratch:
        found = _find(backups, archive, Path(scratch))
        manifest = backups.restore(found)
        change = _recorded(found, manifest)
    print(
        f"Restored what was made at {manifest.created_at:%Y-%m-%d %H:%M} UTC by version {manifest.version}. "
        "Bring SIGNALBOX_SECRET_KEY and the other secrets from where you keep them, then start the product.\n"
        f"It is an emergency change; say how it went: signalbox records review {change}"
    )


def _recorded(archive: Path, manifest: Manifest) -> str:
    """The restored database knows that it was restored, by whom and from what; the id of its change."""
    from bot.backup.archive import file_digest  # noqa: PLC0415
    from bot.cli import changes  # noqa: PLC0415
    from bot.core.service_models import ConfigurationItem  # noqa: PLC0415

    made = f"{manifest.created_at:%Y-%m-%d %H:%M} UTC"
    with changes.desk(load_local().settings, "backups") as desk:
        change = desk.changes.propose(
            "emergency",
            f"Restore the backup of {made}",
            key=f"restore/{archive.name}/{desk.audit.head().hash}",
            reason="`signalbox backup restore` was called.",
            plan="Bring database, models and MLflow's store back into an empty place.",
            backout_plan="Nothing was overwritten: empty data directory and database, restore another.",
            items=[
                ConfigurationItem(
                    type="dataset", name=archive.name, version=manifest.version, digest=file_digest(archive)
                )
            ],
            after={"data_until": made},
        )
        desk.changes.begin(change.id)
        desk.changes.end(change.id)
    return change.id


def prune() -> None:
    """Delete archives older than backup.keep_days."""
    deleted = _backups().prune()
    for name in deleted:
        print(f"deleted {name}")
    if not deleted:
        print(f"None is older than {load_local().settings.backup.keep_days:g} days.")


def list_archives() -> None:
    """List archives, oldest first."""
    for archive in _backups().archives():
        print(f"{archive}  {archive.stat().st_size:,} bytes")


def key() -> None:
    """Print a new key for backup.key. Keep it apart from the archives: without it none can be restored."""
    from bot.backup.encryption import new_key  # noqa: PLC0415  # see the package's docstring

    print(new_key())


def _find(backups: Backups, name: str, scratch: Path) -> Path:
    if name.startswith("s3:"):
        return backups.fetch(name.removeprefix("s3:"), scratch)
    return Path(name) if Path(name).exists() else backups.folder / name


def _backups() -> Backups:
    from bot import diagnosis  # noqa: PLC0415
    from bot.backup.wiring import build_backups  # noqa: PLC0415
    from bot.core.kernel import build_kernel  # noqa: PLC0415
    from bot.core.logs import configure_logs, known_secrets  # noqa: PLC0415

    loaded = load_local()
    configure_logs(loaded.settings, known_secrets(loaded.settings))
    shown = {row.name: row.value for row in diagnosis.setting_rows(loaded) if row.origin != "default"}
    return build_backups(build_kernel(loaded.settings), dict(shown))
