"""New rows by Spark, for sources that one machine does not hold. DataFrame API only, so Connect-safe.

The files and the folder written to have to be seen by the executors; databases are read by JDBC, whose driver
has to lie in the session's class path (`churn.jdbc_jars`).
"""

from __future__ import annotations

from datetime import date
from functools import reduce
from operator import and_, or_
from pathlib import Path
from typing import Any

from ml.churn import reading
from ml.churn.errors import DataError
from ml.churn.etl.extract import DAY, MISFITS, Found, Request, sorted_out
from ml.churn.etl.source import Source
from ml.churn.tables import Type

_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_DATE = r"^\d{4}-\d{1,2}-\d{1,2}$"


class SparkExtractor:
    """The engine `spark`. `master`: see `ml.spark.session`; one session serves all calls."""

    name = "spark"

    def __init__(self, master: str) -> None:
        self._master = master

    def extract(self, source: Source, request: Request, out: Path) -> Found:
        """See `Extractor`."""
        from py4j.protocol import Py4JError  # noqa: PLC0415  # of the training extra
        from pyspark.errors import PySparkException  # noqa: PLC0415

        from ml.spark import session  # noqa: PLC0415

        conf = {"spark.jars": ",".join(source.jars)} if source.jars else {}
        spark = session(self._master, "signalbox-churn", conf)
        try:
            read = _from_database if source.is_database else _from_files
            return read(spark, source, request, out)
        except (PySparkException, Py4JError) as exc:
            # What the JVM throws itself comes as PySpark's error through Connect only.
            raise DataError(_why(exc, source, request)) from exc


def _from_files(spark: Any, source: Source, request: Request, out: Path) -> Found:
    files = sorted_out(source, request)
    counts, parts = {}, []
    for file in (*files.unseen, *files.changed):
        frame = _file(spark, file, request)
        counts[file] = frame.count()
        parts.append((frame, None if file in files.unseen else request.since))
    return files.found(counts, _write(parts, request, out))


def _file(spark: Any, file: Path, request: Request) -> Any:
    path = str(file.resolve())
    if file.suffix == ".parquet":
        frame = spark.read.parquet(path)
    else:
        # As RFC 4180 has it: a quote is escaped by another one, and a field may hold line ends.
        options = {"header": True, "multiLine": True, "quote": '"', "escape": '"', "inferSchema": False}
        frame = spark.read.csv(path, **options)
    reading.require(request.table, frame.columns or list(request.table.columns))
    return frame.select(*request.table.columns)


def _from_database(spark: Any, source: Source, request: Request, out: Path) -> Found:
    from pyspark.sql import functions as f  # noqa: PLC0415

    reader = spark.read.format("jdbc").option("url", source.jdbc_url()).option("dbtable", request.table.name)
    reader = reader.option("driver", source.jdbc_driver())
    if source.user:
        reader = reader.option("user", source.user).option("password", source.password)
    whole = reader.load()
    reading.require(request.table, whole.columns)
    frame = whole.select(*request.table.columns)
    if request.since is not None:
        # Spark hands such a condition on to the database, which sends the matching rows alone.
        frame = frame.where(_happened(request, request.since, f.col))
    return Found(whole.count(), _write([(frame, None)], request, out))


def _write(parts: list[tuple[Any, date | None]], request: Request, out: Path) -> int:
    """The rows that something happened to, a folder a day; returns how many were written."""
    from pyspark.sql import functions as f  # noqa: PLC0415

    if not parts:
        return 0
    table = request.table
    judged = reduce(lambda one, other: one.unionByName(other), (_judged(*part, request) for part in parts))
    misfits = judged.where("misfit").select(*(f.col(f"raw.{name}").alias(name) for name in table.columns))
    good = judged.where("NOT misfit").select(*(f.col(f"typed.{name}").alias(name) for name in table.columns))
    day = f.col(table.time) if table.is_final else f.lit(request.as_of)
    good.withColumn(DAY, day).repartition(DAY).write.partitionBy(DAY).mode("append").parquet(
        f"{out.resolve()}"
    )
    misfits.write.mode("append").parquet(f"{(out / MISFITS).resolve()}")
    return int(judged.count())


def _judged(frame: Any, since: date | None, request: Request) -> Any:
    """Columns: `raw` and `typed`, the row as it came and as it fits; `misfit`, whether a value was lost."""
    from pyspark.sql import functions as f  # noqa: PLC0415

    kinds = dict(frame.dtypes)
    columns = request.table.columns
    typed = {name: _cast(name, kind, kinds[name]) for name, kind in columns.items()}
    lost = [_is_told(name, kinds[name]) & typed[name].isNull() for name in columns]
    judged = frame.select(
        f.struct(*(f.col(name).cast("string").alias(name) for name in columns)).alias("raw"),
        f.struct(*(value.alias(name) for name, value in typed.items())).alias("typed"),
        reduce(or_, lost).alias("misfit"),
    )
    if since is None:
        return judged
    happened = f.coalesce(
        _happened(request, since, lambda name: f.col(f"typed.{name}")), f.lit(0).cast("boolean")
    )
    undated = f.col(f"typed.{request.table.time}").isNull()
    return judged.where(happened | undated | f.col("misfit"))


def _happened(request: Request, since: date, column: Any) -> Any:
    from pyspark.sql import functions as f  # noqa: PLC0415

    return reduce(or_, (column(name) >= f.lit(since) for name in request.since_columns))


def _cast(name: str, kind: Type, given: str) -> Any:
    from pyspark.sql import functions as f  # noqa: PLC0415

    value, text = f.col(name), given == "string"
    match kind:
        case "text":
            return value.cast("string")
        case "date":
            start = f.substring(value, 1, 10)
            return f.when(start.rlike(_DATE), start.try_cast("date")) if text else value.cast("date")
        case "number":
            # Java's numbers may end with a letter, and so do Spark's casts.
            found = f.when(value.rlike(_NUMBER), value.try_cast("double")) if text else value.cast("double")
            return f.when(~f.isnan(found) & (f.abs(found) < float("inf")), found)


def _is_told(name: str, given: str) -> Any:
    from pyspark.sql import functions as f  # noqa: PLC0415

    value = f.col(name)
    conditions = [value.isNotNull()]
    if given == "string":
        conditions.append(f.trim(value) != "")
    elif given in {"double", "float"}:
        conditions.append(~f.isnan(value))
    return reduce(and_, conditions)


def _why(exc: Exception, source: Source, request: Request) -> str:
    said = str(exc)
    if source.is_database and ("ClassNotFound" in said or "No suitable driver" in said):
        return (
            f"The JDBC driver {source.jdbc_driver()} for {source.shown} is not there. Put its jar on every "
            "node and name it in churn.jdbc_jars (or churn.jdbc_driver, where the class is another one)."
        )
    first = said.splitlines()[0][:300] if said else type(exc).__name__
    return (
        f"Spark could not read the table {request.table.name!r} of {source.shown}: {first} Can the executors "
        "reach it, and is it whole?"
    )
