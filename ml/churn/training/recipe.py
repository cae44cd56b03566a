"""Settings of the ensemble's members, and the trees that they give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """Settings of the members. They are general: none was chosen on a test part."""

    folds: int = 5
    trees: int = 300
    least_leaf: int = 3
    rounds: int = 300
    rate: float = 0.04
    leaves: int = 15
    least_data: int = 15
    columns_share: float = 0.7
    rows_share: float = 0.8
    l2: float = 1.0
    hidden: tuple[int, int] = (64, 32)
    members: int = 4
    seed: int = 7
    threads: int = 2
    tuned: bool = True
    """Whether the trees' sizes are chosen on inner folds; else those above are taken."""


QUICK = Recipe(folds=3, trees=100, rounds=200, members=2, tuned=False)
"""For a first look: a fifth of the time, a little of the accuracy."""


def forest_of(recipe: Recipe) -> Any:
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415  # of the training extra

    return RandomForestClassifier(
        recipe.trees, min_samples_leaf=recipe.least_leaf, n_jobs=recipe.threads, random_state=recipe.seed
    )


def boosting_of(recipe: Recipe) -> Any:
    from lightgbm import LGBMClassifier  # noqa: PLC0415  # of the training extra

    return LGBMClassifier(
        n_estimators=recipe.rounds, learning_rate=recipe.rate, num_leaves=recipe.leaves,
        min_child_samples=recipe.least_data, colsample_bytree=recipe.columns_share,
        subsample=recipe.rows_share, subsample_freq=1, reg_lambda=recipe.l2, random_state=recipe.seed,
        n_jobs=recipe.threads, deterministic=True, force_row_wise=True, verbose=-1,
    )  # fmt: skip
