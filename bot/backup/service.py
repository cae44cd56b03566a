"""Making, testing, restoring and pruning backups, and remembering when that last went well."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path

import structlog
from filelock import FileLock, Timeout

from bot.backup import archive as archives
from bot.backup import databases, golden
from bot.backup.encryption import parse_key
from bot.backup.golden import Golden
from bot.backup.manifest import MANIFEST, Manifest, archive_name, made_at, sidecar
from bot.backup.offsite import Bucket
from bot.backup.settling import settle
from bot.backup.source import DATA, MAIN, MLFLOW, Source, revision
from bot.core.audit import Audit
from bot.core.audit_chain import Head
from bot.core.backup_state import BackupState
from bot.core.database import Database
from bot.core.errors import ConfigError, Permanent
from bot.core.service_ledger import ServiceLedger
from bot.supervisor.data_dir import locked

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Tested:
    """What a restore into scratch showed. `rto` is how long it took, `rpo` how old the data was; seconds."""

    archive: str
    rto: float
    rpo: float
    audit_rows: int
    models: tuple[str, ...]


class Backups:
    """Args:
    source: what to back up.
    state: remembers and records how it went.
    checks: golden batches by name.
    """

    def __init__(
        self,
        source: Source,
        db: Database,
        state: BackupState,
        checks: Mapping[str, Golden],
        clock: Callable[[], datetime],
    ) -> None:
        self._source = source
        self._settings = source.settings
        self._db = db
        self._state = state
        self._checks = checks
        self._clock = clock

    @property
    def folder(self) -> Path:
        return Path(self._settings.backup.dir or self._settings.data_dir / "backups")

    # -- making ------------------------------------------------------------------------------------

    def create(self) -> Path:
        """A new archive. A failure is recorded as an incident and raised."""
        with self._alone(), self._state.watching("create"):
            made = self._create()
            self._copy_offsite(made)
            about = Manifest.model_validate_json(sidecar(made).read_bytes())
            self._state.created(made.name, about.archive_sha256, about.archive_bytes, about.seconds)
        return made

    def _create(self) -> Path:
        started, at = time.monotonic(), self._clock()
        key = self._keys()[0] if self._settings.backup.key else None
        target = self.folder / archive_name(at, encrypted=key is not None)
        if target.exists():
            raise Permanent(f"{target.name} exists already; wait a second and try again.")
        with (
            tempfile.TemporaryDirectory(dir=self.folder, prefix=".making-") as scratch,
            archives.writing(target, key) as archive,
        ):
            # The head is read before the dump, so that the dumped chain surely passes through it.
            head = str(Audit(self._db).head())
            kinds = self._source.dump(archive, Path(scratch))
            self._source.copy_files(archive, Path(scratch))
            manifest = Manifest(
                version=metadata.version("signalbox"),
                created_at=at,
                databases=kinds,
                revision=revision(self._db),
                audit_head=head,
                files=dict(archive.files),
                golden=golden.answers(self._checks, self._settings.data_dir),
                seconds=round(time.monotonic() - started, 3),
            )
            archive.add_bytes(manifest.model_dump_json().encode(), MANIFEST)
        whole = {"archive_sha256": archives.file_digest(target), "archive_bytes": target.stat().st_size}
        sidecar(target).write_text(manifest.model_copy(update=whole).model_dump_json(indent=1))
        log.info("backup.created", archive=target.name, bytes=whole["archive_bytes"], audit_head=head)
        return target

    def _copy_offsite(self, made: Path) -> None:
        if self._settings.backup.s3_bucket:
            bucket = Bucket(self._settings.backup)
            for file in (made, sidecar(made)):
                bucket.put(file)

    # -- testing -----------------------------------------------------------------------------------

    def verify(self, archive: Path | None = None) -> Tested:
        """Restore into scratch and look: integrity, schema, audit chain, records, champions, golden batch."""
        with self._alone(), self._state.watching("verify"):
            tested = self._verify(archive or self.newest())
            self._state.restored(tested.archive, tested.rto, tested.rpo, tested.models)
        return tested

    def _verify(self, archive: Path) -> Tested:
        _check_sidecar(archive)
        started = time.monotonic()
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".restoring-") as name:
            folder = Path(name)
            unpacked = folder / "unpacked"
            manifest = archives.unpack(archive, unpacked, self._keys())
            self._refuse_other_kind(manifest)
            where = self._settings.backup.scratch_url or self._settings.resolved_database_url()
            with databases.scratch(where, folder) as url:
                databases.restore(unpacked / MAIN, url)
                rows = _check_database(url, manifest)
            found = golden.answers(self._checks, _data_dir(unpacked))
            golden.compare(manifest.golden, found)
        rpo = (self._clock() - manifest.created_at).total_seconds()
        return Tested(archive.name, round(time.monotonic() - started, 3), rpo, rows, tuple(sorted(found)))

    # -- restoring ---------------------------------------------------------------------------------

    def restore(self, archive: Path) -> Manifest:
        """Bring an archive back into an empty data directory and an empty database.

        Raises:
            ConfigError: something is there already that would be overwritten, or the product is running.
        """
        url, data = self._settings.resolved_database_url(), self._settings.data_dir
        with locked(data):
            return self._restore(archive, url, data)

    def _restore(self, archive: Path, url: str, data: Path) -> Manifest:
        if not databases.is_empty(url) or any(self._source.files()):
            raise ConfigError(
                f"There is something in {data} or in the database already, and a restore overwrites nothing. "
                "Give it an empty data directory (SIGNALBOX_DATA_DIR) and an empty database (DATABASE_URL)."
            )
        databases.refuse_when_used(url)
        _check_sidecar(archive)
        with tempfile.TemporaryDirectory(dir=data, prefix="tmp-restoring-") as name:
            unpacked = Path(name)
            manifest = archives.unpack(archive, unpacked, self._keys())
            self._refuse_other_kind(manifest)
            with databases.appearing_whole(url) as hidden:
                databases.restore(unpacked / MAIN, hidden)
                self._restore_mlflow(unpacked, manifest)
                _check_database(hidden, manifest)
                self._settle(hidden, manifest)
            for path in sorted(_data_dir(unpacked).iterdir()):
                path.rename(data / path.name)
            (unpacked / "settings.json").rename(data / "settings-of-backup.json")
        log.info("backup.restored", archive=archive.name)
        return manifest

    def _settle(self, url: str, manifest: Manifest) -> None:
        db = Database(url)
        try:
            aside = settle(db, manifest.created_at, self._clock())
        finally:
            db.close()
        log.info("backup.settled", runs_set_aside=aside)

    def _restore_mlflow(self, unpacked: Path, manifest: Manifest) -> None:
        """MLflow's own database, where it is kept apart from the data directory."""
        url = self._source.databases().get(MLFLOW)
        if MLFLOW not in manifest.databases:
            return
        if url is None or not databases.is_empty(url):
            raise ConfigError(
                "The archive holds MLflow's database. Set MLFLOW_TRACKING_URI to an empty database for it."
            )
        databases.restore(unpacked / MLFLOW, url)

    def _refuse_other_kind(self, manifest: Manifest) -> None:
        kind = databases.kind_of(self._settings.resolved_database_url())
        if manifest.databases[MAIN] != kind:
            raise ConfigError(
                f"The archive holds a {manifest.databases[MAIN]} database, and DATABASE_URL names a {kind} "
                "one. Restore into the kind that it was made from."
            )

    # -- keeping -----------------------------------------------------------------------------------

    def archives(self) -> list[Path]:
        """Oldest first."""
        if not self.folder.is_dir():
            return []
        found = ((made_at(path.name), path) for path in self.folder.iterdir())
        return [path for at, path in sorted((at, path) for at, path in found if at is not None)]

    def newest(self) -> Path:
        found = self.archives()
        if not found:
            raise Permanent(f"There is no backup in {self.folder}. Make one: `signalbox backup create`.")
        return found[-1]

    def prune(self) -> list[str]:
        """Delete archives older than the days to keep, by calendar; the newest one always stays."""
        oldest = self._clock().date() - timedelta(days=self._settings.backup.keep_days)

        def is_old(name: str) -> bool:
            at = made_at(name)
            return at is not None and at.date() < oldest

        gone = [archive for archive in self.archives()[:-1] if is_old(archive.name)]
        for archive in gone:
            sidecar(archive).unlink(missing_ok=True)
            archive.unlink()
        if self._settings.backup.s3_bucket:
            bucket = Bucket(self._settings.backup)
            names = sorted(name for name in bucket.names() if made_at(name))
            for name in filter(is_old, names[:-1]):
                bucket.delete(name)
                bucket.delete(f"{name}.json")
        return [archive.name for archive in gone]

    def fetch(self, name: str, folder: Path) -> Path:
        """An archive of the bucket, with what lies beside it."""
        bucket = Bucket(self._settings.backup)
        bucket.get(f"{name}.json", folder)
        return bucket.get(name, folder)

    def _keys(self) -> Sequence[bytes]:
        given = [self._settings.backup.key, *self._settings.backup.old_keys]
        return [parse_key(key.get_secret_value()) for key in given if key]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(self.folder / "backup.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise Permanent("Another backup or restore test is under way here; wait for its end.") from None
        try:
            yield
        finally:
            lock.release()


def _check_sidecar(archive: Path) -> None:
    """Cheap and early: was the file changed since it was made?"""
    beside = sidecar(archive)
    if not archive.is_file():
        raise ConfigError(f"There is no archive {archive}. `signalbox backup list` shows them.")
    if beside.is_file():
        noted = Manifest.model_validate_json(beside.read_bytes())
        if noted.archive_sha256 != archives.file_digest(archive):
            raise Permanent(f"{archive.name} is not the file that was written: its sha256 differs.")


def _check_database(url: str, manifest: Manifest) -> int:
    """Bring the schema up to date and walk the audit chain; how many rows it has."""
    db = Database(url)
    try:
        db.migrate()
        audit = Audit(db)
        report = audit.verify([Head.parse(manifest.audit_head)])
        faults = report.faults + ServiceLedger(db, audit, audit.clock, "").faults()
    finally:
        db.close()
    if faults:
        raise Permanent(f"The restored audit trail does not hold: {faults[0]}")
    return report.rows


def _data_dir(unpacked: Path) -> Path:
    folder = unpacked / DATA
    folder.mkdir(exist_ok=True)
    return folder
