"""The network's inputs: columns in pieces, and models from before there were any."""

from __future__ import annotations

import numpy as np
import pytest

from ml.churn.model.network import Network, in_pieces
from ml.churn.training import metrics

pytestmark = pytest.mark.unit
RNG = np.random.default_rng(5)


def test_pieces_say_how_far_a_value_has_come() -> None:
    pieces = {
        "column": np.array([0, 0, 1]),
        "start": np.array([0, 10, 0]),
        "width": np.array([10, 20, 1]),
        "low": np.array([-1, 0, -np.inf]),
        "high": np.array([1, 2, np.inf]),
    }
    tensors = {name: values.astype(np.float32) for name, values in pieces.items()}
    found = in_pieces(np.array([[5.0, 7], [20, 0], [-99, 1], [999, 1]]), tensors)
    assert found.tolist() == [[0.5, 0, 7], [1, 0.5, 0], [-1, 0, 1], [1, 2, 1]]


def test_a_model_from_before_there_were_pieces_says_what_it_said() -> None:
    mean, scale = np.array([1, 2]), np.array([2, 4])
    weights = [RNG.normal(size=size) for size in ((3, 2, 4), (3, 4, 4), (3, 4, 1))]
    biases = [RNG.normal(size=(3, 1, size)) for size in (4, 4, 1)]
    tensors = {"mean": mean, "scale": scale}
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        tensors |= {f"weight{layer}": weight, f"bias{layer}": bias}
    rows = RNG.normal(size=(20, 2))
    hidden = (rows - mean) / scale
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        hidden = hidden @ weight + bias
        hidden = np.maximum(hidden, 0) if layer < 2 else hidden
    said = Network({name: tensor.astype(np.float32) for name, tensor in tensors.items()}).logits(rows)
    assert said == pytest.approx(hidden.mean(axis=0).ravel(), abs=1e-4)


def test_more_rows_than_fit_at_once_are_answered_in_order() -> None:
    tensors = {"mean": np.zeros(1), "scale": np.ones(1)}
    for layer, (inside, outside) in enumerate(((1, 2), (2, 2), (2, 1))):
        shape = (1, inside, outside)
        tensors |= {f"weight{layer}": RNG.normal(size=shape), f"bias{layer}": np.zeros((1, 1, outside))}
    network = Network({name: tensor.astype(np.float32) for name, tensor in tensors.items()})
    rows = RNG.normal(size=(40_000, 1))
    assert network.logits(rows) == pytest.approx(
        np.concatenate([network.logits(part) for part in np.array_split(rows, 7)]), abs=1e-5
    )
    assert network.logits(rows[:0]).shape == (0,)


def test_a_curve_through_a_skewed_column_is_learned() -> None:
    """Both ends of a column with a long tail leave; a constant, a flag and a tail without bounds do no harm."""
    pytest.importorskip("torch", reason="torch is not installed; `make train-deps` installs it")
    from ml.churn.training import network_fit  # noqa: PLC0415  # needs torch

    x = np.column_stack([RNG.lognormal(0, 2, 3000), np.ones(3000), RNG.random(3000) < 0.1])
    chance = np.where(np.abs(np.log(x[:, 0])) > 1.5, 0.7, 0.1)
    y = (RNG.random(3000) < chance).astype(np.int64)
    network = Network(network_fit.fit(x[:2000], y[:2000], seed=3, members=2, epochs=40))
    said = 1 / (1 + np.exp(-network.logits(x[2000:])))
    assert metrics.auc(said, y[2000:]) > metrics.auc(chance[2000:], y[2000:]) - 0.03
    assert np.isfinite(network.logits(np.array([[1e12, -1e12, 1e12]]))).all()
