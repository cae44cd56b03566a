"""A learned detector for one service's metrics together: what each alone does not show.

Principal components of robustly scaled metrics; a sample is as strange as it is far from their plane
(squared prediction error, Jackson and Mudholkar, Technometrics 1979) or far out within it (Hotelling's T²).
Rows that are strange themselves are left out of a second fit, as in trimmed estimators (Rousseeuw, 1984).
The line comes from rows that the fit has not seen (split conformal prediction, Vovk et al., 2005).
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml.anomaly.errors import SeriesError, StateError
from ml.anomaly.state import Floats

EXPLAINED = 0.9
TRIMMED = 0.02
HELD_OUT = 0.3
QUANTILE = 0.999
MARGIN = 1.5
"""The line is this much above what the held-out rows have: tomorrow is not quite like yesterday."""
LEAST_ROWS = 200
_FORMAT = 1


@dataclass(frozen=True)
class JointModel:
    """Fitted on metrics in the order of `names`; arrays are [metrics] or [components, metrics]."""

    names: tuple[str, ...]
    center: Floats
    spread: Floats
    mean: Floats
    components: Floats
    variances: Floats
    line_off: float
    line_within: float
    rows: int

    def strengths(self, rows: Floats) -> Floats:
        """1 and more where the metrics together are anomalous. `rows`: [samples, metrics]; NaN stays NaN."""
        off, within = self.distances(rows)
        found: Floats = np.maximum(off.sum(axis=1) / self.line_off, within.sum(axis=1) / self.line_within)
        return found

    def likely(self, row: Floats) -> list[str]:
        """The metrics, the likely cause first, of one sample [metrics]."""
        off, _ = self.distances(row[None, :])
        share = off[0] + np.abs(self._scaled(row[None, :])[0] - self.mean) * 1e-3
        return [self.names[place] for place in np.argsort(-share)]

    def _scaled(self, rows: Floats) -> Floats:
        scaled: Floats = np.arcsinh((rows - self.center) / self.spread)
        return scaled

    def distances(self, rows: Floats) -> tuple[Floats, Floats]:
        centred = self._scaled(rows) - self.mean
        inner = centred @ self.components.T
        return (centred - inner @ self.components) ** 2, inner**2 / self.variances


def fit(names: Sequence[str], rows: Floats) -> JointModel:
    """Learn from [samples, metrics], oldest first; samples with a missing value are left out.

    Raises:
        SeriesError: too few samples or metrics.
    """
    rows = rows[np.isfinite(rows).all(axis=1)]
    if len(rows) < LEAST_ROWS or rows.shape[1] < 2:
        raise SeriesError(
            f"There are {len(rows)} samples of {rows.shape[1]} metrics together; a joint model needs at "
            f"least {LEAST_ROWS} of two. Wait for more history, or check that the queries have values at "
            "the same times."
        )
    cut = int(len(rows) * (1 - HELD_OUT))
    model = _fitted(tuple(names), rows[:cut])
    strange = model.strengths(rows[:cut])
    model = _fitted(model.names, rows[:cut][strange <= np.quantile(strange, 1 - TRIMMED)])
    off, within = model.distances(rows[cut:])
    lines = [max(float(np.quantile(part.sum(axis=1), QUANTILE)) * MARGIN, 1e-9) for part in (off, within)]
    return JointModel(**{**vars(model), "line_off": lines[0], "line_within": lines[1], "rows": len(rows)})


def _fitted(names: tuple[str, ...], rows: Floats) -> JointModel:
    center = np.median(rows, axis=0)
    spread = 1.4826 * np.median(np.abs(rows - center), axis=0)
    spread = np.where(spread > 0, spread, np.maximum(rows.std(axis=0), 1e-9))
    scaled = np.arcsinh((rows - center) / spread)
    mean = scaled.mean(axis=0)
    _, sizes, directions = np.linalg.svd(scaled - mean, full_matrices=False)
    variances = sizes**2 / len(rows)
    kept = int(np.searchsorted(np.cumsum(variances) / variances.sum(), EXPLAINED)) + 1
    # One direction is always left over: without it nothing can be off the plane.
    kept = min(kept, len(names) - 1)
    least = np.maximum(variances[:kept], 1e-9)
    return JointModel(names, center, spread, mean, directions[:kept], least, 1.0, 1.0, len(rows))


def write(model: JointModel, path: Path) -> None:
    """Store the model as JSON in the file's place, whole or not at all."""
    values = {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in vars(model).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, made = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"format": _FORMAT, **values}, file)
    Path(made).replace(path)


def read(path: Path) -> JointModel | None:
    """The model that was written last; None where there is none.

    Raises:
        StateError: the file is damaged or of another version.
    """
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.pop("format") != _FORMAT:
            raise StateError(f"{path} is of another version. Remove it; the next training makes it anew.")
        return JointModel(
            **{k: np.array(v) if isinstance(v, list) and k != "names" else v for k, v in found.items()}
            | {"names": tuple(found["names"])}
        )
    except (ValueError, KeyError, TypeError) as exc:
        raise StateError(f"{path} is damaged. Remove it; the next training makes it anew.") from exc
