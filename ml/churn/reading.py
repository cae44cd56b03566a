"""Rows as `tables` declares them, in Polars. What does not fit its type is set aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ml.churn.errors import DataError
from ml.churn.tables import Table, Type


@dataclass(frozen=True)
class Raw:
    """`frames`: table name to polars.DataFrame; `misfits`: rows that a table's types refuse, as text.

    `rows` counts what the source holds, `new` the last rows of a frame that were not known before, and
    `empty` names new files without any.
    """

    frames: dict[str, Any]
    sha256: str
    misfits: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    new: dict[str, int] = field(default_factory=dict)
    empty: dict[str, tuple[str, ...]] = field(default_factory=dict)


def frame_of(file: Path, table: Table) -> Any:
    """A file as it is, in the table's columns.

    Raises:
        DataError: it can't be read, or a column is missing.
    """
    import polars as pl  # noqa: PLC0415  # heavy; not part of the small installation

    try:
        frame = (
            pl.read_parquet(file, hive_partitioning=False)
            if file.suffix == ".parquet"
            else pl.read_csv(file, infer_schema=False)
        )
    except pl.exceptions.NoDataError:
        frame = pl.DataFrame(schema=dict.fromkeys(table.columns, pl.String))
    except (pl.exceptions.PolarsError, OSError) as exc:
        raise DataError(
            f"The table {table.name!r} can't be read: {exc}. Correct or replace the file."
        ) from exc
    require(table, frame.columns)
    return frame.select(list(table.columns))


def require(table: Table, columns: Sequence[str]) -> None:
    """Raises DataError when a column is missing."""
    missing = sorted(set(table.columns) - set(columns))
    if missing:
        raise DataError(
            f"The table {table.name!r} lacks: {', '.join(missing)}. It needs: {', '.join(table.columns)}."
        )


def typed(frame: Any, table: Table) -> tuple[Any, Any]:
    """The rows whose every value fits its column's type, and the others."""
    import polars as pl  # noqa: PLC0415

    cast = frame.select(_cast(frame, column, kind).alias(column) for column, kind in table.columns.items())
    cast = cast.fill_nan(None)
    told = frame.select(_is_told(frame, column).alias(column) for column in table.columns)
    lost = pl.any_horizontal(
        (told[column] & cast[column].is_null()).alias(column) for column in table.columns
    )
    mask = cast.select(lost.alias("lost"))["lost"]
    return cast.filter(~mask), frame.filter(mask)


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
