"""A small neural network as matrices: standardised columns, two hidden layers, averaged over its members."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
LAYERS = 3


class Network:
    """Tensors: mean and scale [columns]; weight0..2 [members, in, out] and bias0..2 [members, 1, out]."""

    def __init__(self, tensors: dict[str, npt.NDArray[np.float32]]) -> None:
        self._tensors = {name: tensor.astype(np.float32) for name, tensor in tensors.items()}

    @classmethod
    def load(cls, file: Path) -> Network:
        from safetensors.numpy import load_file  # noqa: PLC0415

        return cls(load_file(file))

    def logits(self, matrix: Floats) -> Floats:
        """[rows] from [rows, columns] without NaN: the mean of the members' logits."""
        t = self._tensors
        rows = np.clip((matrix.astype(np.float32) - t["mean"]) / t["scale"], -5, 5)
        total = np.zeros(len(rows), np.float64)
        for member in range(len(t["weight0"])):
            hidden = rows
            for layer in range(LAYERS):
                hidden = hidden @ t[f"weight{layer}"][member] + t[f"bias{layer}"][member]
                hidden = np.maximum(hidden, 0) if layer < LAYERS - 1 else hidden
            total += hidden.ravel()
        mean: Floats = total / len(t["weight0"])
        return mean
