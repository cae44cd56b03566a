"""Which engine computes the features of a day: Polars on this machine, or Spark, here or on a cluster."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from ml.churn.features import local
from ml.churn.store import TABLES, Loaded

LOCAL, SPARK = "local", "spark"


def features(data: Loaded, folder: Path, master: str = "") -> Any:
    """`local.features` of the data's day, as a polars.DataFrame.

    With a `master` (`local[*]`, a cluster's, or `sc://host` for Spark Connect) Spark reads the kept tables
    from `folder`, which its executors have to see.

    Raises:
        SparkUnavailableError: PySpark or a Java that it runs on is not there.
    """
    if not master:
        return local.features(data.frames, data.as_of)
    import polars as pl  # noqa: PLC0415  # heavy; not part of the small installation

    found = _with_spark(sorted(data.frames), folder / TABLES, data.as_of, master)
    return pl.DataFrame(pl.from_arrow(found)).sort("customer_id")


def _with_spark(names: list[str], place: Path, cut: date, master: str) -> Any:
    from ml.churn.features import spark  # noqa: PLC0415
    from ml.spark import session  # noqa: PLC0415

    # A session that is there is used again.
    running = session(master, "signalbox-churn")
    frames = {name: running.read.parquet(f"{(place / name).resolve()}.parquet") for name in names}
    return spark.features(frames, cut).toArrow()
