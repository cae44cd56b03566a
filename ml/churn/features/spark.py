"""The specification in Spark, for data that one machine does not hold. DataFrame API only, so Connect-safe.

One pass over each table: all its features are conditional aggregates of the same grouping.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from ml.churn.features.specification import CATEGORIES, FEATURES, Aggregate, Ratio
from ml.churn.tables import TABLES

Frames = Mapping[str, Any]
"""Table name to pyspark.sql.DataFrame."""


def features(tables: Frames, cut: date) -> Any:
    """What `local.features` returns, as a pyspark.sql.DataFrame in no order."""
    from pyspark.sql import functions as f  # noqa: PLC0415  # of the training extra

    known = {name: _known(frame, name, cut) for name, frame in tables.items()}
    frame = _customers(known, cut)
    for name, rows in known.items():
        of_table = [each for each in FEATURES if isinstance(each, Aggregate) and each.table == name]
        found = rows.groupBy("customer_id").agg(*(_aggregate(each, cut) for each in of_table))
        frame = frame.join(found, "customer_id", "left")
    for feature in FEATURES:
        if isinstance(feature, Ratio):
            frame = frame.withColumn(feature.name, _ratio(feature))
        elif feature.fill is not None:
            filled = f.coalesce(f.col(feature.name), f.lit(float(feature.fill)))
            frame = frame.withColumn(feature.name, filled)
    return frame


def _known(frame: Any, name: str, cut: date) -> Any:
    """What could be known before the cut: rows of earlier days, without what happened to them later."""
    from pyspark.sql import functions as f  # noqa: PLC0415

    table = TABLES[name]
    earlier = frame.where(f.col(table.time) < f.lit(cut))
    ends = [column for column in table.known_after if table.columns[column] == "date"]
    masked = {column: f.when(f.col(ends[0]) < f.lit(cut), f.col(column)) for column in table.known_after}
    return earlier.select(*(masked.get(column, f.col(column)).alias(column) for column in table.columns))


def _customers(known: Frames, cut: date) -> Any:
    """Customers with a subscription that runs at the cut, each with the newest one."""
    from pyspark.sql import Window  # noqa: PLC0415
    from pyspark.sql import functions as f  # noqa: PLC0415

    subscriptions = known["subscriptions"]
    running = subscriptions.where(f.col("ended").isNull() | (f.col("ended") >= f.lit(cut)))
    newest_first = Window.partitionBy("customer_id").orderBy(f.desc("started"), f.desc_nulls_last("plan"))
    newest = running.withColumn("place", f.row_number().over(newest_first)).where("place = 1")
    texts = sorted({category.column for category in CATEGORIES if category.table == "subscriptions"})
    people = known["customers"].select("customer_id", "name", "segment", "owner", "currency")
    return people.join(newest.select("customer_id", "renewal", *texts), "customer_id")


def _aggregate(feature: Aggregate, cut: date) -> Any:
    """Null for a customer without a row that the feature is about, as a grouping of those rows has it."""
    from pyspark.sql import functions as f  # noqa: PLC0415

    counted = _counted(feature, cut)
    some = f.count_if(counted) > 0
    return f.when(some, _value(feature, counted, cut)).cast("double").alias(feature.name)


def _counted(feature: Aggregate, cut: date) -> Any:
    """Whether a row is one that the feature is about."""
    from pyspark.sql import functions as f  # noqa: PLC0415

    time, counted = f.col(TABLES[feature.table].time), f.lit(True)  # noqa: FBT003  # a literal of Spark
    if feature.days:
        end = cut - timedelta(days=feature.ago)
        counted &= (time >= f.lit(end - timedelta(days=feature.days))) & (time < f.lit(end))
    if feature.where:
        counted &= f.col(feature.where) > 0
    if feature.equals:
        counted &= f.col(feature.column).isin(*feature.equals)
    if feature.open_until:
        counted &= f.col(feature.open_until).isNull()
    if feature.due:
        counted &= f.col(feature.due) < f.lit(cut)
    return counted


def _value(feature: Aggregate, counted: Any, cut: date) -> Any:
    from pyspark.sql import functions as f  # noqa: PLC0415

    time = f.when(counted, f.col(TABLES[feature.table].time))
    column = f.when(counted, f.col(feature.column)) if feature.column else time
    match feature.operation:
        case "sum":
            return f.coalesce(f.sum(column), f.lit(0.0))
        case "count":
            return f.count_if(counted)
        case "mean":
            return f.avg(column)
        case "latest":
            return f.max_by(column, time)
        case "days_since":
            return f.datediff(f.lit(cut), f.max(time))
        case "days_until":
            return f.datediff(f.max_by(column, time), f.lit(cut))


def _ratio(feature: Ratio) -> Any:
    from pyspark.sql import functions as f  # noqa: PLC0415

    below = f.col(feature.below)
    share = f.col(feature.above) * f.lit(feature.scale) / below
    return f.when(below > 0, share - 1 if feature.change else share)
