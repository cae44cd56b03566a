"""New rows by Polars on this machine: files directly, databases through SQLAlchemy."""

from __future__ import annotations

from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

from ml.churn import reading
from ml.churn.errors import DataError
from ml.churn.etl.extract import DAY, MISFITS, Found, Request, sorted_out
from ml.churn.etl.source import Source


class PolarsExtractor:
    """The engine `local`."""

    name = "local"

    def extract(self, source: Source, request: Request, out: Path) -> Found:
        """See `Extractor`."""
        if source.is_database:
            return _from_database(source, request, out)
        files = sorted_out(source, request)
        counts, new = {}, 0
        for number, file in enumerate((*files.unseen, *files.changed)):
            frame = reading.frame_of(file, request.table)
            counts[file] = len(frame)
            since = None if file in files.unseen else request.since
            new += _write(frame, request, since, out, number)
        return files.found(counts, new)


def _from_database(source: Source, request: Request, out: Path) -> Found:
    import polars as pl  # noqa: PLC0415  # heavy; not part of the small installation
    import sqlalchemy as sa  # noqa: PLC0415

    columns: list[Any] = [sa.column(name) for name in request.table.columns]
    table = sa.table(request.table.name, *columns)
    query = sa.select(*columns)
    if request.since is not None:
        query = query.where(sa.or_(*(table.c[name] >= request.since for name in request.since_columns)))
    engine = _engine(source)
    try:
        with engine.connect() as connection:
            reading.require(
                request.table, [each["name"] for each in sa.inspect(connection).get_columns(table.name)]
            )
            rows = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            # Untyped columns, as SQLite's, hold whatever was written: they are read as text.
            found = connection.execute(query)
            frame = _frame(found.fetchall(), list(request.table.columns))
    except (sa.exc.SQLAlchemyError, pl.exceptions.PolarsError) as exc:
        raise DataError(
            f"The table {request.table.name!r} of {source.shown} can't be read ({type(exc).__name__}: "
            f"{str(exc).splitlines()[0][:200]}). Is the database up, are churn.source, source_user and "
            "source_password right, and may the user read it?"
        ) from exc
    finally:
        engine.dispose()
    return Found(rows, _write(frame, request, None, out, 0))


def _engine(source: Source) -> Any:
    import sqlalchemy as sa  # noqa: PLC0415

    try:
        url = sa.make_url(source.url())
        if source.user:
            url = url.set(username=source.user, password=source.password or None)
        return sa.create_engine(url, poolclass=sa.NullPool)
    except (sa.exc.ArgumentError, ImportError) as exc:
        raise DataError(f"churn.source can't be used ({exc}). Correct it, or install its driver.") from exc


def _frame(rows: Any, columns: list[str]) -> Any:
    import polars as pl  # noqa: PLC0415

    by_column: list[Any] = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return pl.DataFrame({name: _series(values) for name, values in zip(columns, by_column, strict=True)})


def _series(values: Any) -> Any:
    """Of one type: the values' own where they share one, else text."""
    import polars as pl  # noqa: PLC0415

    kinds = {type(value) for value in values if value is not None}
    if len(kinds) == 1:
        return pl.Series(values, strict=True)
    texts = [None if value is None else str(value) for value in values]
    return pl.Series(texts, dtype=pl.String)


def _write(frame: Any, request: Request, since: Any, out: Path, number: int) -> int:
    """The rows that something happened to, a folder a day; returns how many were written."""
    import polars as pl  # noqa: PLC0415

    table = request.table
    good, bad = reading.typed(frame, table)
    if since is not None:
        happened = reduce(or_, (pl.col(name) >= since for name in request.since_columns))
        good = good.filter(happened.fill_null(value=False) | pl.col(table.time).is_null())
    if len(bad):
        (out / MISFITS).mkdir(parents=True, exist_ok=True)
        bad.cast(pl.String).write_parquet(out / MISFITS / f"{number}.parquet")
    day = pl.col(table.time) if table.is_final else pl.lit(request.as_of)
    for (value,), part in good.with_columns(day.alias(DAY)).partition_by(DAY, as_dict=True).items():
        folder = out / f"{DAY}={value or '__HIVE_DEFAULT_PARTITION__'}"
        folder.mkdir(parents=True, exist_ok=True)
        part.drop(DAY).write_parquet(folder / f"{number}.parquet")
    return len(good) + len(bad)
