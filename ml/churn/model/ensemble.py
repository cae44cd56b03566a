"""Forest, boosting and network joined by a logistic stack (Wolpert, 1992) with weights >= 0."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ml.churn.model import artifact
from ml.churn.model.artifact import Manifest, Stack
from ml.churn.model.boosting import Boosting
from ml.churn.model.forest import Forest
from ml.churn.model.network import Network

Floats = npt.NDArray[np.float64]
_EDGE = 1e-4
BATCH = 100_000


def logit(probabilities: Floats) -> Floats:
    """Log-odds; a forest that is certain is taken to be nearly so."""
    inside = np.clip(probabilities, _EDGE, 1 - _EDGE)
    found: Floats = np.log(inside / (1 - inside))
    return found


def joined(logits: Floats, stack: Stack) -> Floats:
    """Probabilities [rows] of logits [rows, members]."""
    found: Floats = 1 / (1 + np.exp(-(logits @ np.asarray(stack.weights) + stack.bias)))
    return found


def filled(matrix: Floats, medians: tuple[float, ...]) -> Floats:
    return np.where(np.isnan(matrix), np.asarray(medians), matrix)


@dataclass(frozen=True)
class Ensemble:
    manifest: Manifest
    forest: Forest
    boosting: Boosting
    network: Network
    digest: str

    @classmethod
    def load(cls, folder: Path, threads: int = 2) -> Ensemble:
        """Raises ModelUnavailableError or ModelTamperedError."""
        manifest = artifact.read(folder)
        return cls(
            manifest,
            Forest(folder / artifact.FOREST, threads),
            Boosting(folder / artifact.BOOSTING, threads),
            Network.load(folder / artifact.NETWORK),
            artifact.digest(folder),
        )

    @property
    def version(self) -> str:
        return f"{self.manifest.facts.name}/{self.digest[:8]}"

    def logits(self, matrix: Floats) -> Floats:
        """[rows, members] in the order of artifact.MEMBERS."""
        whole = filled(matrix, self.manifest.medians)
        return np.column_stack(
            [
                logit(self.forest.probabilities(whole)),
                self.boosting.logits(matrix),
                self.network.logits(whole),
            ]
        )

    def probabilities(self, matrix: Floats) -> Floats:
        """[rows] in 0..1, calibrated on the base rate of training."""
        parts = [matrix[start : start + BATCH] for start in range(0, len(matrix), BATCH)]
        found = [joined(self.logits(part), self.manifest.stack) for part in parts]
        return np.concatenate(found) if found else np.empty(0)


def medians_of(matrix: Floats) -> tuple[float, ...]:
    """Of what is known in each column; 0 where nothing is."""
    known = (column[~np.isnan(column)] for column in matrix.T)
    return tuple(float(np.median(column)) if len(column) else 0.0 for column in known)
