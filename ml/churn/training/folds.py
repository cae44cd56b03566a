"""Folds that keep what belongs together in one of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]
Groups = npt.NDArray[Any]


def folds(labels: Labels, groups: Groups, number: int, seed: int) -> Any:
    """Index pairs: a group lies in one fold only, and folds have about the same share of leavers."""
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415

    splitter = StratifiedGroupKFold(number, shuffle=True, random_state=seed)
    return splitter.split(np.zeros(len(labels)), labels, groups)
