"""Gradient-boosted trees (Friedman, 2001) as LightGBM's text, with their exact Shapley values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Boosting:
    def __init__(self, file: Path, threads: int = 2) -> None:
        import lightgbm  # noqa: PLC0415  # not part of the small installation

        self._booster = lightgbm.Booster(model_file=str(file))
        self._threads = threads

    def logits(self, matrix: Floats) -> Floats:
        """[rows] from [rows, columns]; NaN is unknown."""
        found = self._booster.predict(matrix, raw_score=True, num_threads=self._threads)
        return np.asarray(found, dtype=np.float64)

    def contributions(self, matrix: Floats) -> Floats:
        """[rows, columns] in log-odds: exact TreeSHAP (Lundberg et al., 2020)."""
        found = self._booster.predict(matrix, pred_contrib=True, num_threads=self._threads)
        return np.asarray(found, dtype=np.float64)[:, :-1]
