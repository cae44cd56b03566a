"""Fits the neural network with torch: several members at once, weight decay, early stopping."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.churn.model.network import LAYERS, PIECES, in_pieces, inputs

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Tensors = dict[str, npt.NDArray[np.float32]]
_BINS = 8


def fit(
    matrix: Floats, labels: Labels, *, seed: int, members: int = 4, hidden: tuple[int, int] = (64, 32),
    epochs: int = 120, patience: int = 12,
) -> Tensors:  # fmt: skip
    """Tensors for model.network.Network from [rows, columns] without NaN.

    Each member holds out another tenth of the rows to stop by; they differ by their start and dropout, too.
    """
    import torch  # noqa: PLC0415  # of the training extra

    torch.set_num_threads(1)  # matrices this small only wait for each other on more
    generator = torch.Generator().manual_seed(seed)
    shaped = _shaped(matrix)
    rows, truth = torch.tensor(inputs(matrix, shaped)), torch.tensor(labels, dtype=torch.float32)
    order = torch.stack([torch.randperm(len(rows), generator=generator) for _ in range(members)])
    held, used = order[:, : max(1, len(rows) // 10)], order[:, len(rows) // 10 :]
    net = _Net(torch, (rows.shape[1], *hidden, 1), members, generator)
    optimiser = torch.optim.AdamW(net.parameters, lr=1e-3, weight_decay=5e-2)
    loss_of = torch.nn.BCEWithLogitsLoss(reduction="none")
    best, kept, worse = torch.full((members,), torch.inf), net.copy(), torch.zeros(members)
    batch = int(min(2048, max(64, used.shape[1] // 20)))
    for _ in range(epochs):
        shuffled = torch.stack([own[torch.randperm(len(own), generator=generator)] for own in used])
        for part in shuffled.split(batch, dim=1):
            optimiser.zero_grad()
            loss_of(net(rows[part], generator, dropout=0.15), truth[part]).mean().backward()
            optimiser.step()
        with torch.no_grad():
            loss = loss_of(net(rows[held]), truth[held]).mean(dim=1)
        better = loss < best - 1e-4
        for old, new in zip(kept, net.parameters, strict=True):
            old[better] = new.detach()[better]
        best, worse = torch.where(better, loss, best), torch.where(better, 0, worse + 1)
        if bool((worse >= patience).all()):
            break
    return {**shaped, **net.named(kept)}


def _shaped(matrix: Floats) -> Tensors:
    """Pieces between the quantiles of each column, with the mean and the scale of what comes through them."""
    found = [
        (float(at), *piece)
        for at in range(matrix.shape[1])
        for piece in _pieces(np.unique(matrix[:, at]), matrix[:, at])
    ]
    tensors = {
        name: np.asarray(values, dtype=np.float32)
        for name, values in zip(PIECES, zip(*found, strict=True), strict=True)
    }
    rows = in_pieces(matrix, tensors)
    mean, scale = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
    scale[scale < 1e-9] = 1.0
    return {**tensors, "mean": mean.astype(np.float32), "scale": scale.astype(np.float32)}


def _pieces(values: Floats, column: Floats) -> list[tuple[float, float, float, float]]:
    """Start, width, least and most of each piece; the outermost go on for a piece's width."""
    edges = np.unique(np.quantile(column, np.linspace(0, 1, _BINS + 1)).astype(np.float32))
    if len(values) < 3 or len(edges) < 3:
        return [(0.0, 1.0, -np.inf, np.inf)]
    last = len(edges) - 2
    return [
        (float(start), float(end - start), -1.0 if at == 0 else 0.0, 2.0 if at == last else 1.0)
        for at, (start, end) in enumerate(pairwise(edges))
    ]


class _Net:
    """`members` networks of the same shape as batched matrices, each with a straight way past its layers."""

    def __init__(self, torch: Any, sizes: tuple[int, ...], members: int, generator: Any) -> None:
        self._torch = torch
        self.parameters = []
        for inside, outside in pairwise(sizes):
            start = torch.randn(members, inside, outside, generator=generator) * (2 / inside) ** 0.5
            # The layers begin as a small correction of the straight way.
            start = start * (0.3 if outside == 1 else 1.0)
            self.parameters += [start.requires_grad_(), torch.zeros(members, 1, outside).requires_grad_()]
        self.parameters.append(torch.zeros(members, sizes[0], 1).requires_grad_())

    def __call__(self, rows: Any, generator: Any = None, dropout: float = 0.0) -> Any:
        """Logits [members, rows] of [members, rows, inputs]."""
        torch, hidden = self._torch, rows
        for layer in range(LAYERS):
            weight, bias = self.parameters[2 * layer : 2 * layer + 2]
            hidden = torch.baddbmm(bias, hidden, weight)
            if layer < LAYERS - 1:
                hidden = torch.relu(hidden)
                if dropout:
                    keep = torch.rand(hidden.shape, generator=generator) >= dropout
                    hidden = hidden * keep / (1 - dropout)
        return (hidden + torch.bmm(rows, self.parameters[-1])).squeeze(-1)

    def copy(self) -> list[Any]:
        return [tensor.detach().clone() for tensor in self.parameters]

    def named(self, kept: list[Any]) -> Tensors:
        names = [name for layer in range(LAYERS) for name in (f"weight{layer}", f"bias{layer}")]
        return {name: tensor.numpy() for name, tensor in zip([*names, "straight"], kept, strict=True)}
