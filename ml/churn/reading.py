"""Raw tables from CSV or Parquet, typed as `tables` declares them. What does not fit its type is set aside.

A folder holds one file or one folder of files a table: customers.csv, usage/*.parquet, …
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ml.churn.errors import DataError
from ml.churn.tables import TABLES, Table, Type


@dataclass(frozen=True)
class Raw:
    """`frames`: table name to polars.DataFrame; `misfits`: rows that a table's types refuse, as text."""

    frames: dict[str, Any]
    sha256: str
    misfits: dict[str, Any] = field(default_factory=dict)


def read(folder: Path) -> Raw:
    """All tables of a folder.

    Raises:
        DataError: a table or one of its columns is missing, or a file can't be read.
    """
    hashed = hashlib.sha256()
    frames, misfits = {}, {}
    for name, table in TABLES.items():
        files = _files(folder, name)
        for file in files:
            with file.open("rb") as stream:
                hashed.update(hashlib.file_digest(stream, "sha256").digest())
        frames[name], misfits[name] = _typed(_frame(files, table), table)
    return Raw(frames, hashed.hexdigest(), {name: rows for name, rows in misfits.items() if len(rows)})


def _files(folder: Path, name: str) -> list[Path]:
    kinds = ("csv", "csv.gz", "parquet")
    single = [folder / f"{name}.{kind}" for kind in kinds if (folder / f"{name}.{kind}").is_file()]
    found = single or sorted(f for kind in kinds for f in (folder / name).glob(f"**/*.{kind}"))
    if not found:
        raise DataError(
            f"There is no table {name!r} in {folder}. Put {name}.csv or {name}.parquet there, or a folder of "
            "such files; `signalbox churn demo` writes an example of each."
        )
    return found


def _frame(files: list[Path], table: Table) -> Any:
    import polars as pl  # noqa: PLC0415  # heavy; not part of the small installation

    try:
        parts = [
            pl.read_parquet(f) if f.suffix == ".parquet" else pl.read_csv(f, infer_schema=False)
            for f in files
        ]
    except (pl.exceptions.PolarsError, OSError) as exc:
        raise DataError(
            f"The table {table.name!r} can't be read: {exc}. Correct or replace the file."
        ) from exc
    missing = sorted({column for part in parts for column in table.columns if column not in part.columns})
    if missing:
        raise DataError(
            f"The table {table.name!r} lacks: {', '.join(missing)}. It needs: {', '.join(table.columns)}."
        )
    return pl.concat([part.select(list(table.columns)) for part in parts], how="vertical_relaxed")


def _typed(frame: Any, table: Table) -> tuple[Any, Any]:
    """The rows whose every value fits its column's type, and the others."""
    import polars as pl  # noqa: PLC0415

    typed = frame.select(_cast(frame, column, kind).alias(column) for column, kind in table.columns.items())
    typed = typed.fill_nan(None)
    told = frame.select(_is_told(frame, column).alias(column) for column in table.columns)
    lost = pl.any_horizontal(
        (told[column] & typed[column].is_null()).alias(column) for column in table.columns
    )
    mask = typed.select(lost.alias("lost"))["lost"]
    return typed.filter(~mask), frame.filter(mask)


def _cast(frame: Any, column: str, kind: Type) -> Any:
    import polars as pl  # noqa: PLC0415

    value = pl.col(column)
    text = frame.schema[column] == pl.String
    match kind:
        case "text":
            return value.cast(pl.String)
        case "date":
            return (
                value.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False) if text else value.cast(pl.Date)
            )
        case "number":
            found = value.str.strip_chars().cast(pl.Float64, strict=False) if text else value.cast(pl.Float64)
            return pl.when(found.is_infinite()).then(None).otherwise(found)


def _is_told(frame: Any, column: str) -> Any:
    import polars as pl  # noqa: PLC0415

    value = pl.col(column)
    if frame.schema[column] == pl.String:
        return value.is_not_null() & (value.str.strip_chars() != "")
    return value.is_not_null() & (
        value.is_not_nan() if frame.schema[column].is_float() else pl.lit(value=True)
    )


def write(frames: dict[str, Any], folder: Path) -> None:
    """The tables as Parquet, one file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        frame.write_parquet(folder / f"{name}.parquet")
