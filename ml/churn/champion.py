"""The model that serves, and scoring with it. It needs lightgbm, onnxruntime and safetensors, not torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.churn import reasons, registry
from ml.churn.model.ensemble import Ensemble
from ml.churn.runs import Reason, Scored

Floats = npt.NDArray[np.float64]
_HIGH = 2.0
"""From so many times the threshold on, a risk is called high."""


@dataclass(frozen=True)
class Champion:
    ensemble: Ensemble

    @property
    def version(self) -> str:
        return self.ensemble.version

    def score(self, rows: list[dict[str, Any]]) -> list[Scored]:
        """Score customers given as feature values by name, each with reasons, in the order given.

        Raises:
            ValueError: a feature is missing or is no number.
        """
        names = {name for row in rows for name in row}
        table = {name: [row.get(name) for row in rows] for name in names}
        return self.table(table, len(rows), top=len(rows)) if rows else []

    def table(self, table: Mapping[str, Sequence[Any]], rows: int, top: int) -> list[Scored]:
        """Score a table of columns; reasons for the `top` rows with most money at risk."""
        manifest = self.ensemble.manifest
        matrix = manifest.columns.matrix(table)
        probabilities = self.ensemble.probabilities(matrix)
        monthly = _money(table.get("monthly_value"), rows)
        months = np.full(rows, manifest.costs.months)
        risk = probabilities * monthly * months
        why = self._reasons(matrix, np.argsort(-risk, kind="stable")[:top])
        column = {name: table.get(name) for name in ("customer_id", "name", "segment", "owner", "renewal")}
        return [
            Scored(
                customer_id=_text(column["customer_id"], at),
                name=_text(column["name"], at) or _text(column["customer_id"], at),
                segment=_text(column["segment"], at),
                owner=_text(column["owner"], at),
                probability=float(probabilities[at]),
                band=self._band(float(probabilities[at])),
                monthly_value=float(monthly[at]),
                remaining_months=float(months[at]),
                value_at_risk=float(risk[at]),
                renewal=_date(column["renewal"], at),
                reasons=why.get(at, ()),
            )
            for at in range(rows)
        ]

    def _reasons(self, matrix: Floats, chosen: npt.NDArray[np.int64]) -> dict[int, tuple[Reason, ...]]:
        manifest = self.ensemble.manifest
        impacts = self.ensemble.boosting.contributions(matrix[chosen]) if len(chosen) else np.empty((0, 0))
        return {
            int(at): reasons.of(matrix[at], impact, manifest.columns, manifest.medians)
            for at, impact in zip(chosen, impacts, strict=True)
        }

    def _band(self, probability: float) -> str:
        threshold = self.ensemble.manifest.threshold
        if probability < threshold:
            return "low"
        return "high" if probability >= min(0.9, _HIGH * threshold) else "medium"


def load(folder: Path, threads: int = 2) -> Champion:
    """The champion of the churn folder; only a model whose digest was promoted is loaded.

    Raises:
        ModelUnavailableError, ModelTamperedError.
    """
    return Champion(Ensemble.load(registry.champion(folder), threads))


def _text(column: Sequence[Any] | None, at: int) -> str:
    return "" if column is None or column[at] is None else str(column[at])


def _date(column: Sequence[Any] | None, at: int) -> date | None:
    value = None if column is None else column[at]
    if isinstance(value, str):
        return date.fromisoformat(value) if value else None
    return value


def _money(column: Sequence[Any] | None, rows: int) -> Floats:
    found = (
        np.zeros(rows) if column is None else np.array([value or 0.0 for value in column], dtype=np.float64)
    )
    return np.nan_to_num(found)
