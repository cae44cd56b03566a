"""A small neural network as matrices: columns in pieces, two hidden layers beside a straight way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
LAYERS = 3
PIECES = ("column", "start", "width", "low", "high")
_EDGE = 5.0
_BATCH = 16_384
"""Rows at once: pieces are several times as wide as the columns."""


class Network:
    """Tensors: mean and scale [inputs]; weight0..2 [members, in, out] and bias0..2 [members, 1, out].

    Since there are pieces: column, start, width, low and high [inputs], and straight [members, inputs, 1].
    """

    def __init__(self, tensors: dict[str, Singles]) -> None:
        self._tensors = {name: tensor.astype(np.float32) for name, tensor in tensors.items()}

    @classmethod
    def load(cls, file: Path) -> Network:
        from safetensors.numpy import load_file  # noqa: PLC0415

        return cls(load_file(file))

    def logits(self, matrix: Floats) -> Floats:
        """[rows] from [rows, columns] without NaN: the mean of the members' logits."""
        parts = [self._logits(matrix[start : start + _BATCH]) for start in range(0, len(matrix), _BATCH)]
        return np.concatenate(parts) if parts else np.empty(0)

    def _logits(self, matrix: Floats) -> Floats:
        t = self._tensors
        rows = inputs(matrix, t)
        total = np.zeros(len(rows), np.float64)
        for member in range(len(t["weight0"])):
            hidden = rows
            for layer in range(LAYERS):
                hidden = hidden @ t[f"weight{layer}"][member] + t[f"bias{layer}"][member]
                hidden = np.maximum(hidden, 0) if layer < LAYERS - 1 else hidden
            total += hidden.ravel()
            if "straight" in t:
                total += (rows @ t["straight"][member]).ravel()
        mean: Floats = total / len(t["weight0"])
        return mean


def inputs(matrix: Floats, tensors: dict[str, Singles]) -> Singles:
    """Standardised inputs [rows, inputs] of columns [rows, columns]."""
    rows = (in_pieces(matrix, tensors) - tensors["mean"]) / tensors["scale"]
    found: Singles = np.clip(rows, -_EDGE, _EDGE).astype(np.float32)
    return found


def in_pieces(matrix: Floats, tensors: dict[str, Singles]) -> Singles:
    """How far each column's value has come through each of its pieces, 0 to 1 (Gorishniy et al., 2022).

    So that a straight line through the inputs is a curve through the column. Models from before have none.
    """
    if "column" not in tensors:
        return matrix.astype(np.float32)
    column, start, width, low, high = (tensors[name] for name in PIECES)
    through = (matrix.astype(np.float32)[:, column.astype(np.int64)] - start) / width
    found: Singles = np.clip(through, low, high)
    return found
