"""Training examples: each customer at several cuts, with what was known then and what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.churn.errors import DataError
from ml.churn.features import local
from ml.churn.features.local import Frames
from ml.churn.features.matrix import Columns, columns_of

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
_HISTORY_DAYS = 84
_EVERY_DAYS = 28


@dataclass(frozen=True)
class Window:
    """`embargo`: days after the cut that are left out, for nobody could act in them; then `horizon` days."""

    horizon: int = 90
    embargo: int = 7

    @property
    def days(self) -> int:
        return self.horizon + self.embargo

    @property
    def span(self) -> timedelta:
        return timedelta(days=self.days)


@dataclass(frozen=True)
class Dataset:
    """Rows by cut and customer. `cut_of` [rows] numbers `cuts`, the newest last; `groups` are customers."""

    matrix: Floats
    labels: Labels
    groups: npt.NDArray[Any]
    cut_of: npt.NDArray[np.int64]
    cuts: tuple[date, ...]
    columns: Columns
    horizon_days: int
    embargo_days: int
    known_until: date
    rows_of_life: float | None = None
    segments: npt.NDArray[Any] | None = None
    values: Floats | None = None

    @property
    def window(self) -> Window:
        return Window(self.horizon_days, self.embargo_days)

    def split(self) -> tuple[Dataset, Dataset]:
        """The past and the newest cut, with no label of the past still open at that cut."""
        over = [n for n, cut in enumerate(self.cuts) if (self.cuts[-1] - cut).days >= self.window.days]
        return self.part(np.isin(self.cut_of, over)), self.part(self.cut_of == len(self.cuts) - 1)

    def part(self, rows: npt.NDArray[np.bool_]) -> Dataset:
        """Some of the rows, as a dataset."""
        take = {"matrix": self.matrix, "labels": self.labels, "groups": self.groups, "cut_of": self.cut_of}
        held = {**self.__dict__, **{name: values[rows] for name, values in take.items()}}
        for name in ("segments", "values"):
            held[name] = held[name][rows] if held[name] is not None else None
        return Dataset(**held)


def cuts_of(tables: Frames, known_until: date, window: Window, most: int = 12) -> tuple[date, ...]:
    """Cuts every four weeks, from where features have a past to where outcomes are known."""
    first = tables["usage"]["day"].min()
    if first is None:
        raise DataError("The table 'usage' is empty: without a past there is nothing to learn from.")
    # Whole weeks before the day of scoring: on another weekday, windows hold other numbers of weekly rows.
    cut = known_until - timedelta(weeks=math.ceil(window.days / 7))
    found: list[date] = []
    # To be judged on the newest cut, a model needs one before it whose outcomes were known by then.
    least = 1 + math.ceil(window.days / _EVERY_DAYS)
    while cut - timedelta(days=_HISTORY_DAYS) >= first and len(found) < max(most, least):
        found.append(cut)
        cut -= timedelta(days=_EVERY_DAYS)
    if len(found) < least:
        need = _HISTORY_DAYS + window.days + (least - 1) * _EVERY_DAYS
        raise DataError(
            f"Usage from {first} to {known_until} gives {len(found)} cuts; {least} are needed, which takes "
            f"about {need} days of history. Export more of the past, or choose a shorter horizon."
        )
    return tuple(reversed(found))


def build(tables: Frames, known_until: date, window: Window | None = None, most_cuts: int = 12) -> Dataset:
    """Raises DataError when there is too little history, or when nobody or everybody left."""
    import polars as pl  # noqa: PLC0415  # heavy; not part of the small installation

    window = window or Window()
    cuts = cuts_of(tables, known_until, window, most_cuts)
    parts = []
    for number, cut in enumerate(cuts):
        truth = local.labels(tables, cut, embargo=window.embargo, horizon=window.horizon)
        known = local.features(tables, cut).join(truth, on="customer_id", how="inner")
        parts.append(known.with_columns(pl.lit(number).alias("cut")))
    rows = pl.concat(parts)
    labels = rows["churned"].to_numpy().astype(np.int64)
    if not 0 < labels.sum() < len(labels):
        raise DataError(f"{int(labels.sum())} of {len(labels)} examples left; both outcomes are needed.")
    columns = columns_of(rows.to_dict(as_series=False))
    return Dataset(
        columns.matrix(rows.to_dict(as_series=False)),
        labels,
        rows["customer_id"].to_numpy(),
        rows["cut"].to_numpy(),
        cuts,
        columns,
        window.horizon,
        window.embargo,
        known_until,
        segments=rows["segment"].fill_null("").to_numpy(),
        values=rows["monthly_value"].fill_null(0.0).to_numpy(),
    )
