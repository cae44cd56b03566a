"""The feature specification in pandas, written the usual way, as the peer that the engines stand beside."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from ml.churn.features.specification import CATEGORIES, FEATURES, Aggregate, Ratio
from ml.churn.tables import TABLES

Frames = dict[str, pd.DataFrame]


def read(folder: Path) -> Frames:
    """The raw tables, whole; dates as datetime64."""
    return {
        name: pq.read_table(folder / f"{name}.parquet").to_pandas(date_as_object=False) for name in TABLES
    }


def features(tables: Frames, cut: date) -> pd.DataFrame:
    """What `ml.churn.features.local.features` returns."""
    known = {name: _known(frame, name, pd.Timestamp(cut)) for name, frame in tables.items()}
    frame = _customers(known, pd.Timestamp(cut)).set_index("customer_id")
    for feature in FEATURES:
        if isinstance(feature, Ratio):
            share = frame[feature.above] * feature.scale / frame[feature.below]
            frame[feature.name] = (share - 1 if feature.change else share).where(frame[feature.below] > 0)
        else:
            found = (
                _aggregate(known[feature.table], feature, pd.Timestamp(cut))
                .reindex(frame.index)
                .astype(float)
            )
            frame[feature.name] = found if feature.fill is None else found.fillna(feature.fill)
    return frame.reset_index().sort_values("customer_id")


def columns(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """As the model takes them: plain values, None where nothing is known."""
    return {name: frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame}


def _known(frame: pd.DataFrame, name: str, cut: pd.Timestamp) -> pd.DataFrame:
    table = TABLES[name]
    earlier = frame[frame[table.time] < cut]
    ends = [column for column in table.known_after if table.columns[column] == "date"]
    if not ends:
        return earlier
    late = earlier[ends[0]] < cut
    return earlier.assign(**{column: earlier[column].where(late) for column in table.known_after})


def _customers(known: Frames, cut: pd.Timestamp) -> pd.DataFrame:
    subscriptions = known["subscriptions"]
    running = subscriptions[subscriptions["ended"].isna() | (subscriptions["ended"] >= cut)]
    newest = running.sort_values(["started", "plan"], na_position="first").drop_duplicates(
        "customer_id", keep="last"
    )
    texts = sorted({category.column for category in CATEGORIES if category.table == "subscriptions"})
    people = known["customers"][["customer_id", "name", "segment", "owner", "currency"]]
    return people.merge(newest[["customer_id", "renewal", *texts]], on="customer_id")


def _aggregate(frame: pd.DataFrame, feature: Aggregate, cut: pd.Timestamp) -> pd.Series[Any]:
    time = TABLES[feature.table].time
    wanted = np.ones(len(frame), bool)
    if feature.days:
        end = cut - timedelta(days=feature.ago)
        wanted &= ((frame[time] >= end - timedelta(days=feature.days)) & (frame[time] < end)).to_numpy()
    if feature.where:
        wanted &= (frame[feature.where] > 0).to_numpy()
    if feature.equals:
        wanted &= frame[feature.column].isin(feature.equals).to_numpy()
    if feature.open_until:
        wanted &= frame[feature.open_until].isna().to_numpy()
    if feature.due:
        wanted &= (frame[feature.due] < cut).to_numpy()
    return _value(frame[wanted], feature, time, cut)


def _value(rows: pd.DataFrame, feature: Aggregate, time: str, cut: pd.Timestamp) -> pd.Series[Any]:
    grouped = rows.groupby("customer_id", sort=False)
    match feature.operation:
        case "sum":
            return grouped[feature.column].sum()
        case "count":
            return grouped.size()
        case "mean":
            return grouped[feature.column].mean()
        case "latest":
            return _latest(rows, feature.column, time)
        case "days_since":
            return (cut - grouped[time].max()).dt.days
        case "days_until":
            return (_latest(rows, feature.column, time) - cut).dt.days


def _latest(rows: pd.DataFrame, column: str, time: str) -> pd.Series[Any]:
    newest = rows.sort_values(time, kind="stable").drop_duplicates("customer_id", keep="last")
    return newest.set_index("customer_id")[column]
