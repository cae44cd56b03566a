"""What of an installation goes into an archive: the databases first, then the files of the data directory.

Files are only ever added beside those that the databases name, so that everything a dump refers to is
there when the files are read after it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePath
from typing import Any

from sqlalchemy import inspect

from bot.backup import databases
from bot.backup.archive import ArchiveWriter
from bot.core.database import Database
from bot.core.settings import Settings

DATA, SETTINGS = "data", "settings.json"
MAIN = "databases/signalbox"
MLFLOW = "databases/mlflow"
# Caches, scratch, what is made anew, and secrets, which are kept apart on purpose.
ALWAYS_LEFT_OUT = (
    "signalbox.db*", "backups", "logs", "metrics", "redis", "sandbox", "secrets.json", "environment.json",
    "*.lock", "*.ready", "beat*", "*-wal", "*-shm", "*-journal", "*.part", "*.new", "tmp*", "spark*", "cache",
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """One installation, to be read while it works."""

    settings: Settings
    shown_settings: dict[str, Any]
    """The settings with every secret replaced by "set"."""

    def databases(self) -> dict[str, str]:
        """Members of the archive and the URLs that they are made from."""
        found = {MAIN: self.settings.resolved_database_url()}
        mlflow = self.settings.mlflow.tracking_uri
        if mlflow.startswith(("sqlite", "postgresql")) and not self._within(mlflow):
            found[MLFLOW] = mlflow
        return found

    def _within(self, url: str) -> bool:
        data = self.settings.data_dir.absolute()
        return databases.kind_of(url) == databases.SQLITE and databases.sqlite_path(url).is_relative_to(data)

    def dump(self, archive: ArchiveWriter, scratch: Path) -> dict[str, str]:
        """The databases; returns each member's kind."""
        kinds = {}
        for member, url in self.databases().items():
            dumped = scratch / member.replace("/", "-")
            databases.dump(url, dumped)
            archive.add(dumped, member)
            dumped.unlink()
            kinds[member] = databases.kind_of(url)
        return kinds

    def copy_files(self, archive: ArchiveWriter, scratch: Path) -> None:
        """Models, MLflow's store and whatever else lies in the data directory; SQLite files consistently."""
        archive.add_bytes(json.dumps(self.shown_settings, indent=1).encode(), SETTINGS)
        for file in self.files():
            member = f"{DATA}/{file.relative_to(self.settings.data_dir).as_posix()}"
            if not file.is_symlink() and databases.is_sqlite_file(file):
                copy = scratch / "copy.db"
                databases.copy_sqlite(file, copy)
                archive.add(copy, member)
                copy.unlink()
            else:
                archive.add(file, member)

    def files(self) -> Iterator[Path]:
        yield from self._walk(self.settings.data_dir)

    def _walk(self, folder: Path) -> Iterator[Path]:
        for path in sorted(folder.iterdir()):
            if self._left_out(path):
                continue
            if path.is_dir() and not path.is_symlink():
                yield from self._walk(path)
            elif path.is_symlink() or path.is_file():
                yield path

    def _left_out(self, path: Path) -> bool:
        top = path.parent == self.settings.data_dir
        patterns = ALWAYS_LEFT_OUT if top else ("*-wal", "*-shm", "*-journal", "*.part")
        inside = PurePath(path.relative_to(self.settings.data_dir)).as_posix()
        named = any(fnmatch(path.name, pattern) for pattern in patterns)
        named = named or path.absolute() == Path(self.settings.backup.dir or "/").absolute()
        return named or any(fnmatch(inside, pattern) for pattern in self.settings.backup.exclude)


def revision(db: Database) -> str:
    with db.read() as tx:
        if not inspect(tx).has_table("alembic_version"):
            return ""
        return str(tx.exec_driver_sql("SELECT version_num FROM alembic_version").scalar())
