"""The specification in Polars, for data that fits one machine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from ml.churn.features.specification import CATEGORIES, FEATURES, Aggregate, Ratio
from ml.churn.tables import TABLES

Frames = Mapping[str, Any]
"""Table name to polars.DataFrame."""


def features(tables: Frames, cut: date) -> Any:
    """One row a customer whose subscription runs at the cut, with what was known before it.

    Returns a polars.DataFrame: customer_id, the features (Float64, null where unknown), the categories,
    name, owner,
    currency, renewal, and sorted by customer_id.
    """
    import polars as pl  # noqa: PLC0415  # heavy; not part of the small installation

    known = {name: _known(frame, name, cut) for name, frame in tables.items()}
    frame = _customers(known, cut)
    for feature in FEATURES:
        if isinstance(feature, Aggregate):
            found = _aggregate(known[feature.table], feature, cut)
            frame = frame.join(found, on="customer_id", how="left")
            column = pl.col(feature.name).cast(pl.Float64)
            frame = frame.with_columns(column if feature.fill is None else column.fill_null(feature.fill))
        else:
            frame = frame.with_columns(_ratio(feature))
    return frame.sort("customer_id")


def _known(frame: Any, name: str, cut: date) -> Any:
    """What could be known before the cut: rows of earlier days, without what happened to them later."""
    import polars as pl  # noqa: PLC0415

    table = TABLES[name]
    earlier = frame.filter(pl.col(table.time) < cut)
    ends = [column for column in table.known_after if table.columns[column] == "date"]
    late = {column: ends[0] for column in table.known_after if ends}
    return earlier.with_columns(
        pl.when(pl.col(end) < cut).then(pl.col(column)).otherwise(None).alias(column)
        for column, end in late.items()
    )


def _customers(known: Frames, cut: date) -> Any:
    """Customers with a subscription that runs at the cut, each with the newest one."""
    import polars as pl  # noqa: PLC0415

    running = known["subscriptions"].filter(pl.col("ended").is_null() | (pl.col("ended") >= cut))
    newest = running.sort("started", "plan").unique("customer_id", keep="last", maintain_order=True)
    texts = {category.column for category in CATEGORIES if category.table == "subscriptions"}
    people = known["customers"].select("customer_id", "name", "segment", "owner", "currency")
    return people.join(newest.select("customer_id", "renewal", *sorted(texts)), on="customer_id", how="inner")


def _aggregate(frame: Any, feature: Aggregate, cut: date) -> Any:
    import polars as pl  # noqa: PLC0415

    time = TABLES[feature.table].time
    rows = frame
    if feature.days:
        end = cut - timedelta(days=feature.ago)
        rows = rows.filter(pl.col(time).is_between(end - timedelta(days=feature.days), end, closed="left"))
    if feature.where:
        rows = rows.filter(pl.col(feature.where) > 0)
    if feature.equals:
        rows = rows.filter(pl.col(feature.column).is_in(feature.equals))
    if feature.open_until:
        rows = rows.filter(pl.col(feature.open_until).is_null())
    if feature.due:
        rows = rows.filter(pl.col(feature.due) < cut)
    return rows.group_by("customer_id").agg(_value(feature, time, cut).alias(feature.name))


def _value(feature: Aggregate, time: str, cut: date) -> Any:
    import polars as pl  # noqa: PLC0415

    column = pl.col(feature.column) if feature.column else pl.col(time)
    match feature.operation:
        case "sum":
            return column.sum()
        case "count":
            return pl.len()
        case "mean":
            return column.mean()
        case "latest":
            return column.sort_by(time).last()
        case "days_since":
            return (pl.lit(cut) - pl.col(time).max()).dt.total_days()
        case "days_until":
            return (column.sort_by(time).last() - pl.lit(cut)).dt.total_days()


def _ratio(feature: Ratio) -> Any:
    import polars as pl  # noqa: PLC0415

    below = pl.col(feature.below)
    share = pl.col(feature.above) * feature.scale / below
    return pl.when(below > 0).then(share - 1 if feature.change else share).otherwise(None).alias(feature.name)


def labels(tables: Frames, cut: date, *, embargo: int, horizon: int) -> Any:
    """Whether each customer that runs at the cut left in the window after the embargo.

    Returns a polars.DataFrame: customer_id, churned (0 or 1). Who left during the embargo is no example:
    nobody could have acted on them. A customer who changes to another subscription has not left.
    """
    import polars as pl  # noqa: PLC0415

    start = cut + timedelta(days=embargo)
    end = start + timedelta(days=horizon)
    running = tables["subscriptions"].filter(
        (pl.col("started") < cut) & (pl.col("ended").is_null() | (pl.col("ended") >= cut))
    )
    last = (
        tables["subscriptions"]
        .filter(
            (pl.col("started") < end) & pl.col("customer_id").is_in(running["customer_id"].unique().implode())
        )
        .group_by("customer_id")
        .agg(
            pl.when(pl.col("ended").is_null().any()).then(None).otherwise(pl.col("ended").max()).alias("left")
        )
    )
    gone = pl.col("left").is_not_null()
    return (
        last.filter(~gone | (pl.col("left") >= start))
        .select("customer_id", (gone & (pl.col("left") < end)).cast(pl.Int8).alias("churned"))
        .sort("customer_id")
    )
