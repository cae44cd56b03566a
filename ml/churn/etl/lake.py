"""The raw rows as they came, in batches: FOLDER/lake/<batch>/<table>/date=YYYY-MM-DD/*.parquet.

A batch is written beside the others and counts once manifest.json names it, which is exchanged in one step. A
writer that is killed leaves a folder that nobody reads and the next one removes. Where two batches hold a row
of the same key, the newer one says how it is.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from ml.churn.errors import DataError
from ml.churn.etl.extract import MISFITS, Extractor, FileMark, Found, Request
from ml.churn.etl.source import Source
from ml.churn.reading import Raw
from ml.churn.tables import TABLES, Table

LAKE, MANIFEST, LOCK = "lake", "manifest.json", "writing.lock"
_STAGING = ".staging-"
LATE_DAYS = 1
"""The day of a reading is not over by then: the next reading takes it, and the one before, again."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Batch(_Value):
    """`tables` that have rows in it; `sha256` of its files."""

    name: str
    as_of: date
    engine: str
    sha256: str
    tables: tuple[str, ...]


class Manifest(_Value):
    """`source` tells sources apart; `rows` and `files`: what it held when it was read last, by table."""

    source: str = ""
    batches: tuple[Batch, ...] = ()
    rows: dict[str, int] = {}
    files: dict[str, dict[str, FileMark]] = {}

    @property
    def as_of(self) -> date | None:
        return self.batches[-1].as_of if self.batches else None

    @property
    def sha256(self) -> str:
        return hashlib.sha256("".join(batch.sha256 for batch in self.batches).encode()).hexdigest()


@dataclass(frozen=True)
class Staged:
    """Rows that wait for the checks: `raw` is what the tables would be with them."""

    raw: Raw
    manifest: Manifest
    making: Path


class Lake:
    """The batches below a churn folder."""

    def __init__(self, folder: Path) -> None:
        self.place = folder / LAKE

    def manifest(self) -> Manifest:
        """What is known; nothing where nothing was read yet.

        Raises:
            DataError: the manifest is damaged.
        """
        file = self.place / MANIFEST
        try:
            return Manifest.model_validate_json(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Manifest()
        except ValidationError as exc:
            raise DataError(
                f"{file} is damaged. Remove it, and run `signalbox churn etl --full` to read all anew."
            ) from exc

    @contextmanager
    def reading(
        self, source: Source, as_of: date, engine: Extractor, *, full: bool = False
    ) -> Iterator[Staged]:
        """Read what is new. What is not committed is forgotten, and read again next time.

        Raises:
            DataError: a table is missing or can't be read, or somebody else is reading.
        """
        self.place.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.place / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as exc:
            raise DataError("Another reading of the churn tables is under way. Wait for it to end.") from exc
        try:
            self._tidy(self.manifest())
            yield self._stage(source, as_of, engine, full=full)
        finally:
            self._tidy(self.manifest())
            lock.release()

    def known_of(self, source: Source) -> Manifest:
        """What was read of this source; an empty one where it was another."""
        known = self.manifest()
        return known if known.source == _identity(source) else Manifest(source=_identity(source))

    def commit(self, staged: Staged) -> None:
        """From here on the rows are known."""
        newest = staged.manifest.batches[-1]
        staged.making.rename(self.place / newest.name)
        part = self.place / f"{MANIFEST}.part"
        part.write_text(staged.manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
        part.replace(self.place / MANIFEST)

    def _stage(self, source: Source, as_of: date, engine: Extractor, *, full: bool) -> Staged:
        known = Manifest(source=_identity(source)) if full else self.known_of(source)
        making = self.place / f"{_STAGING}{secrets.token_hex(4)}"
        making.mkdir()
        found = {
            name: engine.extract(source, _request(table, known, as_of), making / name)
            for name, table in TABLES.items()
        }
        batch = Batch(
            name=f"{as_of}-{secrets.token_hex(4)}",
            as_of=as_of,
            engine=engine.name,
            sha256=_sha256(making),
            tables=tuple(name for name in TABLES if _parts(making / name)),
        )
        manifest = Manifest(
            source=known.source,
            batches=(*known.batches, batch),
            rows={name: each.rows for name, each in found.items()},
            files={name: dict(each.files) for name, each in found.items()},
        )
        return Staged(self._raw(manifest, making, found), manifest, making)

    def _raw(self, manifest: Manifest, making: Path, found: Mapping[str, Found]) -> Raw:
        frames: dict[str, Any] = {}
        new: dict[str, int] = {}
        for name, table in TABLES.items():
            older = [self.place / batch.name for batch in manifest.batches[:-1] if name in batch.tables]
            folders = [place / name for place in (*older, making)]
            frames[name], new[name] = _merged(folders, table, frames.get("customers"))
        misfits = {name: _rows(sorted((making / name / MISFITS).glob("*.parquet"))) for name in TABLES}
        return Raw(
            frames,
            manifest.sha256,
            {name: rows for name, rows in misfits.items() if rows is not None and len(rows)},
            manifest.rows,
            new,
            {name: each.empty for name, each in found.items() if each.empty},
        )

    def _tidy(self, manifest: Manifest) -> None:
        """Remove what no manifest names: writers that were killed, batches that a full reading replaced."""
        named = {batch.name for batch in manifest.batches}
        for folder in self.place.glob("*/"):
            if folder.name not in named:
                shutil.rmtree(folder, ignore_errors=True)


def _request(table: Table, known: Manifest, as_of: date) -> Request:
    since = None if table.snapshot or known.as_of is None else known.as_of - timedelta(days=LATE_DAYS)
    return Request(table, as_of, since, known.files.get(table.name, {}))


def _identity(source: Source) -> str:
    """Of an address without its secrets."""
    where = source.shown if source.is_database else str(source.folder.resolve())
    return hashlib.sha256(where.encode()).hexdigest()


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("date=*/*.parquet"))


def _rows(files: list[Path]) -> Any:
    import polars as pl  # noqa: PLC0415  # heavy; not part of the small installation

    return pl.read_parquet(files, hive_partitioning=False) if files else None


def _merged(folders: list[Path], table: Table, customers: Any) -> tuple[Any, int]:
    """The rows of all batches, the newest last, and how many of them the newest batch brought.

    Of customers whom the source does not know any more, nothing older is taken.
    """
    import polars as pl  # noqa: PLC0415

    kinds = {"text": pl.String, "date": pl.Date, "number": pl.Float64}
    merged = pl.DataFrame(schema={name: kinds[kind] for name, kind in table.columns.items()})
    new = 0
    for folder in folders:
        found = _rows(_parts(folder))
        new = 0 if found is None else len(found)
        if found is None:
            continue
        found = found.select(list(table.columns))
        kept = merged.clear() if table.snapshot else merged.join(found, on=list(table.key), how="anti")
        merged = pl.concat([kept, found])
    if customers is None or new == len(merged):
        return merged, new
    older = merged.head(len(merged) - new).join(customers, on="customer_id", how="semi")
    return pl.concat([older, merged.tail(new)]), new


def _sha256(folder: Path) -> str:
    hashed = hashlib.sha256()
    for file in sorted(folder.rglob("*.parquet")):
        with file.open("rb") as stream:
            hashed.update(hashlib.file_digest(stream, "sha256").digest())
    return hashed.hexdigest()
