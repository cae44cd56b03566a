"""Runs in a virtual environment of its own: `python anomaly_libraries.py FILES SCORES`, both `.npz`.

`FILES` holds the values of each file by number; `SCORES` gets, for each library and file, a score a row.
"""

import sys

import numpy as np
import stumpy  # type: ignore[import-not-found]  # only in its own environment
from numpy.lib.stride_tricks import sliding_window_view
from river import anomaly, preprocessing  # type: ignore[import-not-found]  # only in its own environment

SHORT = 12
DISCORD = 24
"""Samples in a sub-sequence: two hours of most files."""


def half_space_trees(values: np.ndarray) -> np.ndarray:
    """river's HalfSpaceTrees (Tan, Ting and Liu, IJCAI 2011), scored before it learns each sample."""
    model = preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=0)
    scores = np.zeros(len(values))
    for row, value in enumerate(values):
        recent = values[max(0, row - SHORT + 1) : row + 1]
        sample = {
            "value": float(value),
            "change": float(value - values[max(0, row - 1)]),
            "mean": float(recent.mean()),
            "deviation": float(recent.std()),
        }
        scores[row] = model.score_one(sample)
        model.learn_one(sample)
    return scores


def left_discord(values: np.ndarray) -> np.ndarray:
    """stumpy's matrix profile: the distance to the nearest sub-sequence that ended before this one began.

    A row's score is that of the sub-sequence that ends with it, so that nothing is known before its time.
    """
    nearest = stumpy.stump(values, DISCORD)[:, 2].astype(int)
    parts = sliding_window_view(values, DISCORD)
    spread = parts.std(axis=1, keepdims=True)
    shaped = (parts - parts.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
    found = np.sqrt(((shaped - shaped[nearest]) ** 2).sum(axis=1))
    return np.concatenate([np.zeros(DISCORD - 1), np.where(nearest >= 0, found, 0.0)])


LIBRARIES = {"half_space_trees": half_space_trees, "left_discord": left_discord}


def main(files: str, scores: str) -> None:
    given = np.load(files)
    np.savez(
        scores,
        **{f"{name}/{number}": score(given[number]) for name, score in LIBRARIES.items() for number in given},
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
