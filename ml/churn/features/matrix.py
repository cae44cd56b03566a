"""From feature rows to the numbers that models take, the same way in training and in scoring. Numpy only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from ml.churn.features.specification import CATEGORIES, NAMES

Matrix = npt.NDArray[np.float64]


class Columns(BaseModel):
    """The columns of a model's matrix: numbers first, then one a value of each category."""

    model_config = ConfigDict(frozen=True)
    numbers: tuple[str, ...]
    values: dict[str, tuple[str, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        ones = (f"{category}={value}" for category, values in self.values.items() for value in values)
        return (*self.numbers, *ones)

    def matrix(self, rows: Mapping[str, Sequence[Any]]) -> Matrix:
        """[rows, columns]; NaN where a number is unknown. A value that training has not seen is none of them.

        Raises:
            ValueError: a column is missing or holds what is no number.
        """
        parts = [_numbers(name, rows) for name in self.numbers]
        for category, values in self.values.items():
            if category not in rows:
                raise ValueError(
                    f"The field {category!r} is missing; the model needs {', '.join(self.values)}."
                )
            given = np.asarray([str(value) for value in rows[category]], dtype=np.str_)
            parts += [(given == value).astype(np.float64) for value in values]
        return np.column_stack(parts)


def columns_of(rows: Mapping[str, Sequence[Any]], least: int = 20) -> Columns:
    """The columns that a training set gives rise to; values seen fewer than `least` times get none."""
    values = {}
    for category in CATEGORIES:
        found, counts = np.unique([str(value) for value in rows[category.name]], return_counts=True)
        values[category.name] = tuple(str(v) for v, n in zip(found, counts, strict=True) if n >= least)
    return Columns(numbers=NAMES, values=values)


def _numbers(name: str, rows: Mapping[str, Sequence[Any]]) -> Matrix:
    if name not in rows:
        raise ValueError(
            f"The field {name!r} is missing. `signalbox churn features` lists what the model needs."
        )
    try:
        found = np.array([np.nan if value is None else value for value in rows[name]], dtype=np.float64)
    except (TypeError, ValueError) as exc:
        raise ValueError(f"The field {name!r} must be a number or null: {exc}.") from exc
    return np.where(np.isfinite(found), found, np.nan)
