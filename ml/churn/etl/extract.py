"""What an engine is asked for, and what it found: the rows of one table that are not known yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Protocol

from ml.churn.etl.source import Source, files_of
from ml.churn.tables import Table

MISFITS, DAY = "misfits", "date"
"""Folder of rows that the types refuse, and the name of the partitions' column."""


@dataclass(frozen=True, slots=True)
class FileMark:
    """What is known of a file that was read: `stamp` changes with it."""

    stamp: str
    rows: int


@dataclass(frozen=True)
class Request:
    """Rows of `table` from `since` on (None: all of them), as of a day. `known`: files that were read before.

    A file that was never seen is read whole, however old its rows; an unchanged one is not read at all.
    """

    table: Table
    as_of: date
    since: date | None
    known: Mapping[str, FileMark] = field(default_factory=dict)

    @property
    def since_columns(self) -> list[str]:
        """The dates at which something can have happened to a row."""
        late = [column for column in self.table.known_after if self.table.columns[column] == "date"]
        return [self.table.time, *late]


@dataclass(frozen=True)
class Found:
    """`rows`: how many the source holds, known ones too; `files`: all of the table's, as they are now."""

    rows: int
    new: int
    files: Mapping[str, FileMark] = field(default_factory=dict)
    empty: tuple[str, ...] = ()


class Extractor(Protocol):
    """Writes OUT/date=YYYY-MM-DD/*.parquet, and OUT/misfits/*.parquet for rows that the types refuse."""

    name: str

    def extract(self, source: Source, request: Request, out: Path) -> Found:
        """Raises DataError where the table can't be read."""


@dataclass(frozen=True)
class Files:
    """The files of a table by what is to be done with them."""

    unchanged: Mapping[str, FileMark]
    changed: tuple[Path, ...]
    unseen: tuple[Path, ...]

    def found(self, counts: Mapping[Path, int], new: int) -> Found:
        """`counts`: rows of the files that were read; `new`: how many of them were kept."""
        read = {f"{path}": FileMark(stamp_of(path), rows) for path, rows in counts.items()}
        files = {**self.unchanged, **read}
        empty = tuple(path.name for path, rows in counts.items() if not rows)
        return Found(sum(mark.rows for mark in files.values()), new, files, empty)


def sorted_out(source: Source, request: Request) -> Files:
    """Raises DataError when the table has no file."""
    paths = files_of(source.folder, request.table.name)
    seen = {path: request.known[f"{path}"] for path in paths if f"{path}" in request.known}
    same = {f"{path}": mark for path, mark in seen.items() if mark.stamp == stamp_of(path)}
    changed = tuple(path for path in paths if path in seen and f"{path}" not in same)
    return Files(same, changed, tuple(path for path in paths if path not in seen))


def stamp_of(path: Path) -> str:
    found = path.stat()
    return f"{found.st_size}-{found.st_mtime_ns}"
