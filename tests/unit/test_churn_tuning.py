"""The trees are as fine as unseen rows reward."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

for package in ("lightgbm", "sklearn"):
    pytest.importorskip(package, reason=f"{package} is not installed; `make train-deps` installs it")

from ml.churn.training import tuning  # noqa: E402
from ml.churn.training.recipe import Recipe  # noqa: E402

pytestmark = pytest.mark.unit
SMALL = Recipe(trees=40, rounds=60, threads=1)


def _drawn(chance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (rng.random(len(chance)) < chance).astype(np.int64)


def test_little_and_noisy_data_gets_coarse_trees() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 8))
    y = _drawn(1 / (1 + np.exp(-0.5 * x[:, 0])), rng)
    found = tuning.tuned(x, y, np.arange(len(y)), SMALL)
    assert found.least_leaf == 30
    assert found.leaves < SMALL.leaves


def test_features_that_only_add_up_get_trees_of_one_split() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 6))
    y = _drawn(1 / (1 + np.exp(4.8 - np.abs(x).sum(axis=1))), rng)
    found = tuning.tuned(x, y, np.arange(len(y)), replace(SMALL, rounds=300))
    assert (found.leaves, found.rounds) == (2, 1500)


def test_clear_interactions_get_fine_trees() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 4))
    y = _drawn(np.where((x[:, 0] > 0) ^ (x[:, 1] > 0) ^ (x[:, 2] > 0), 0.98, 0.02), rng)
    found = tuning.tuned(x, y, np.arange(len(y)), SMALL)
    assert found.least_leaf == 3
    assert found.leaves == SMALL.leaves


def test_of_many_rows_whole_groups_are_drawn() -> None:
    groups = np.repeat(np.arange(10_000), 5)
    some = tuning._some(groups, seed=1)
    assert 20_000 <= some.sum() < 20_010
    assert set(np.unique(groups[some], return_counts=True)[1]) == {5}
