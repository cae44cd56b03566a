"""Runs in a virtual environment of its own: `python anomaly_libraries.py FILES SCORES NAME`, both `.npz`.

`FILES` holds the values of each file by its number, as `numpy.savez` names them, and in `free` how many rows at the
start of each are not counted; `SCORES` gets, for each file, a score a row by the detector `NAME`. Every detector has the settings of its documentation,
sees the rows in order and scores a row by what came up to it.
"""

import atexit
import sys
from functools import cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

SHORT = 12
DISCORD = 24
"""Samples in a sub-sequence: two hours of most files."""
SPECTRUM = 50
"""Rows in a window of banpei's, as in its documentation."""
START, WINDOW, STEP = 100, 200, 50
"""Rows that a reference window begins with, holds, and moves by, as in pysad's documentation."""


def features(values: np.ndarray) -> np.ndarray:
    """Value, change, and mean and deviation of the last rows, [rows, 4]."""
    recent = [values[max(0, row - SHORT + 1) : row + 1] for row in range(len(values))]
    mean, deviation = ([of(part) for part in recent] for of in (np.mean, np.std))
    return np.column_stack([values, np.diff(values, prepend=values[:1]), mean, deviation])


def half_space_trees(values: np.ndarray, _free: int) -> np.ndarray:
    """river's HalfSpaceTrees (Tan, Ting and Liu, IJCAI 2011), scored before it learns each sample."""
    from river import anomaly, preprocessing  # type: ignore[import-not-found]  # noqa: PLC0415

    model = preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=0)
    scores = np.zeros(len(values))
    for row, seen in enumerate(features(values).tolist()):
        sample = dict(zip(("value", "change", "mean", "deviation"), seen, strict=True))
        scores[row] = model.score_one(sample)
        model.learn_one(sample)
    return scores


def left_discord(values: np.ndarray, _free: int) -> np.ndarray:
    """stumpy's matrix profile: the distance to the nearest sub-sequence that ended before this one began.

    A row's score is that of the sub-sequence that ends with it, so that nothing is known before its time.
    """
    import stumpy  # type: ignore[import-not-found]  # noqa: PLC0415

    nearest = stumpy.stump(values, DISCORD)[:, 2].astype(int)
    parts = sliding_window_view(values, DISCORD)
    spread = parts.std(axis=1, keepdims=True)
    shaped = (parts - parts.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
    found = np.sqrt(((shaped - shaped[nearest]) ** 2).sum(axis=1))
    return np.concatenate([np.zeros(DISCORD - 1), np.where(nearest >= 0, found, 0.0)])


def persistence(values: np.ndarray, free: int) -> np.ndarray:
    """adtk's PersistAD, fitted to the free rows: the factor `c` below which it would tell of a row.

    Its times are only counted: it refuses series whose stamps repeat or go back.
    """
    import pandas as pd  # noqa: PLC0415
    from adtk.detector import PersistAD  # type: ignore[import-not-found]  # noqa: PLC0415

    series = pd.Series(values, index=pd.date_range("2000-01-01", periods=len(values), freq="5min"))
    distance = PersistAD().pipe_.steps["diff_abs"]["model"].transform(series).fillna(0).to_numpy()
    low, high = np.quantile(distance[1:free], (0.25, 0.75))
    return np.asarray(np.maximum(distance - high, 0) / max(high - low, 1e-9))


def projections(values: np.ndarray, free: int) -> np.ndarray:
    """pysad's LODA (Pevný, Machine Learning 2016), scored before it learns each sample.

    It scores the logarithm of one over the density, which depends on the values' unit and may be negative: so it sees
    features in deviations of the free rows, and the logarithm is undone.
    """
    from pysad.models import LODA  # type: ignore[import-not-found]  # noqa: PLC0415

    rows, model = features(values), LODA(random_state=0)
    spread = rows[:free].std(axis=0)
    rows = (rows - rows[:free].mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.exp([float(model.fit_score_partial(row)) for row in rows])


def empirical_tails(values: np.ndarray, _free: int) -> np.ndarray:
    """pyod's ECOD (Li et al., TKDE 2022) in pysad's reference window.

    Row by row, because ECOD compares the rows that it is given at once with one another.
    """
    from pyod.models.ecod import ECOD  # type: ignore[import-not-found]  # noqa: PLC0415
    from pysad.models.integrations import (  # type: ignore[import-not-found]  # noqa: PLC0415
        ReferenceWindowModel,
    )

    rows = features(values)
    model = ReferenceWindowModel(ECOD, WINDOW, STEP, initial_window_X=rows[:START])
    scores = np.zeros(len(rows))
    for row in range(START, len(rows)):
        scores[row] = model.score(rows[row : row + 1])[0]
        model.fit_partial(rows[row])
    return scores


def neighbours(values: np.ndarray, free: int) -> np.ndarray:
    """pysad's KNNCAD (Burnaev and Ishimtsev, 2016), which follows the one in NAB; it learns from the free rows."""
    from pysad.models import KNNCAD  # noqa: PLC0415

    model = KNNCAD(probationary_period=max(free, 48))
    return np.array([float(model.fit_score_partial(np.array([value]))) for value in values])


def many_scales(values: np.ndarray, free: int) -> np.ndarray:
    """merlion's ZMS, z-scores of differences at lags of 1, 2, 4, … rows; fitted anew each day, by its own evaluator."""
    from merlion.evaluate.anomaly import (  # type: ignore[import-not-found]  # noqa: PLC0415
        TSADEvaluator,
        TSADEvaluatorConfig,
    )
    from merlion.models.anomaly.zms import ZMS, ZMSConfig  # type: ignore[import-not-found]  # noqa: PLC0415

    evaluator = TSADEvaluator(ZMS(ZMSConfig()), TSADEvaluatorConfig(retrain_freq="1d"))
    first, rest = _series(values, free)
    _, found = evaluator.get_predict(first, rest, post_process=False)
    return _strangeness(found, len(values))


def random_cuts(values: np.ndarray, free: int) -> np.ndarray:
    """merlion's RandomCutForest, that of Amazon (Guha et al., ICML 2016), as in its DefaultDetector: it goes on learning."""
    from merlion.models.anomaly.random_cut_forest import (  # type: ignore[import-not-found]  # noqa: PLC0415
        JVMSingleton,
        RandomCutForest,
        RandomCutForestConfig,
    )

    settings = RandomCutForestConfig(online_updates=True, n_estimators=100, max_n_samples=512, seed=0)
    model = RandomCutForest(settings)
    first, rest = _series(values, free)
    model.train(first)
    _end_with_us(JVMSingleton.gateway())
    return _strangeness(model.get_anomaly_score(rest, first), len(values))


@cache
def _end_with_us(gateway: Any) -> None:
    """merlion leaves its Java process behind."""
    atexit.register(gateway.shutdown)


def _series(values: np.ndarray, free: int) -> tuple[Any, Any]:
    """As merlion takes them: the rows that it is fitted to, and the others; the times are only counted."""
    import pandas as pd  # noqa: PLC0415
    from merlion.utils import TimeSeries  # type: ignore[import-not-found]  # noqa: PLC0415

    times = pd.date_range("2000-01-01", periods=len(values), freq="5min")
    series = TimeSeries.from_pd(pd.DataFrame({"value": values}, index=times))
    return series[:free], series[free:]


def _strangeness(found: Any, rows: int) -> np.ndarray:
    """merlion's scores are signed; its own alarms go by their size."""
    scores = np.abs(found.to_pd().iloc[:, 0].to_numpy())
    return np.concatenate([np.zeros(rows - len(scores)), scores])


def singular_spectrum(values: np.ndarray, _free: int) -> np.ndarray:
    """banpei's singular spectrum transformation (Idé and Inoue, SDM 2005), each row by the last ones."""
    import banpei  # type: ignore[import-not-found]  # noqa: PLC0415

    model = banpei.SST(w=SPECTRUM)
    rows = model.w + model.k + model.L
    scores = np.zeros(len(values))
    for row in range(rows, len(values)):
        scores[row] = model.stream_detect(values[row - rows + 1 : row + 1])
    return scores


DETECTORS = {
    detector.__name__: detector
    for detector in (
        half_space_trees,
        left_discord,
        persistence,
        projections,
        neighbours,
        empirical_tails,
        many_scales,
        random_cuts,
        singular_spectrum,
    )
}


def main(files: str, scores: str, name: str) -> None:
    given = np.load(files)
    frees = enumerate(given["free"])
    np.savez(scores, *(DETECTORS[name](given[f"arr_{number}"], int(free)) for number, free in frees))


if __name__ == "__main__":
    main(*sys.argv[1:])
