"""Fits the neural network with torch: several members at once, weight decay, early stopping."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.churn.model.network import LAYERS

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def fit(
    matrix: Floats, labels: Labels, *, seed: int, members: int = 4, hidden: tuple[int, int] = (64, 32),
    epochs: int = 120, patience: int = 12,
) -> dict[str, npt.NDArray[np.float32]]:  # fmt: skip
    """Tensors for model.network.Network from [rows, columns] without NaN.

    A tenth of the rows is held out to stop by; members differ by their start and their dropout.
    """
    import torch  # noqa: PLC0415  # of the training extra

    torch.set_num_threads(1)  # matrices this small only wait for each other on more
    generator = torch.Generator().manual_seed(seed)
    mean, scale = matrix.mean(axis=0), matrix.std(axis=0)
    scale[scale < 1e-9] = 1.0
    rows = torch.tensor(np.clip((matrix - mean) / scale, -5, 5), dtype=torch.float32)
    truth = torch.tensor(labels, dtype=torch.float32)
    order = torch.randperm(len(rows), generator=generator)
    held, used = order[: max(1, len(rows) // 10)], order[len(rows) // 10 :]
    net = _Net(torch, (matrix.shape[1], *hidden, 1), members, generator)
    optimiser = torch.optim.AdamW(net.parameters, lr=3e-3, weight_decay=2e-2)
    loss_of = torch.nn.BCEWithLogitsLoss()
    best, kept, worse = float("inf"), net.snapshot(), 0
    batch = int(min(2048, max(64, len(used) // 20)))
    for _ in range(epochs):
        for part in used[torch.randperm(len(used), generator=generator)].split(batch):
            optimiser.zero_grad()
            answer = net(rows[part], generator, dropout=0.15)
            loss_of(answer, truth[part].expand(members, -1)).backward()
            optimiser.step()
        with torch.no_grad():
            loss = float(loss_of(net(rows[held]).mean(0), truth[held]))
        best, kept, worse = (loss, net.snapshot(), 0) if loss < best - 1e-4 else (best, kept, worse + 1)
        if worse >= patience:
            break
    return {"mean": mean.astype(np.float32), "scale": scale.astype(np.float32), **kept}


class _Net:
    """`members` networks of the same shape as batched matrices."""

    def __init__(self, torch: Any, sizes: tuple[int, ...], members: int, generator: Any) -> None:
        self._torch = torch
        self.weights, self.biases = [], []
        for inside, outside in pairwise(sizes):
            start = torch.randn(members, inside, outside, generator=generator) * (2 / inside) ** 0.5
            self.weights.append(start.requires_grad_())
            self.biases.append(torch.zeros(members, 1, outside).requires_grad_())

    @property
    def parameters(self) -> list[Any]:
        return [*self.weights, *self.biases]

    def __call__(self, rows: Any, generator: Any = None, dropout: float = 0.0) -> Any:
        """Logits [members, rows]."""
        torch = self._torch
        hidden = rows.expand(len(self.weights[0]), -1, -1)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = torch.baddbmm(bias, hidden, weight)
            if layer < LAYERS - 1:
                hidden = torch.relu(hidden)
                if dropout:
                    keep = torch.rand(hidden.shape, generator=generator) >= dropout
                    hidden = hidden * keep / (1 - dropout)
        return hidden.squeeze(-1)

    def snapshot(self) -> dict[str, npt.NDArray[np.float32]]:
        found = {}
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            found[f"weight{layer}"] = weight.detach().numpy().copy()
            found[f"bias{layer}"] = bias.detach().numpy().copy()
        return found
