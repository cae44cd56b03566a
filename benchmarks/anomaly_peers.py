"""Detectors that ours is measured against, each causal, re-implemented from its published rules."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.processes import last_line, output, own_environment, scratch
from benchmarks.report import Progress
from ml.anomaly.labelled import Floats, Labelled
from ml.anomaly.nab import free_rows

PAUSE = 144
"""Rows of silence after an alert, for peers that come without a rule about it."""
BUILD = Path(__file__).parents[1] / "build"


@dataclass(frozen=True)
class Environment:
    """A virtual environment of its own: libraries that install together."""

    folder: Path
    packages: tuple[str, ...]
    detectors: Mapping[str, str]
    """Titles by the names of `anomaly_libraries.py`."""


ENVIRONMENTS = (
    Environment(
        BUILD / "anomaly-peers",
        ("river==0.26.1", "stumpy==1.14.1", "adtk==0.6.2", "pysad==0.7.0", "pyod==3.6.7"),
        {
            "half_space_trees": "half-space trees (river)",
            "left_discord": "left discord (stumpy)",
            "persistence": "PersistAD (adtk)",
            "projections": "LODA (pysad)",
            "neighbours": "KNN-CAD (pysad)",
            "empirical_tails": "ECOD (pyod)",
        },
    ),
    Environment(
        BUILD / "anomaly-peers-numpy1",
        ("salesforce-merlion==2.0.4", "banpei==0.1.2", "numpy==1.26.4", "pandas==1.5.3"),
        {
            "many_scales": "ZMS (merlion)",
            "random_cuts": "random cut forest (merlion)",
            "singular_spectrum": "SST (banpei)",
        },
    ),
)
PAUSED_THEMSELVES = ("neighbours",)
"""Detectors that come with a rule about alerting again."""
Detector = Callable[[Labelled], tuple[Floats, Floats]]
"""A file to its scores, and to what of them would be an alert, [rows]."""


def _frame(file: Labelled) -> pd.Series:
    """Values by time; repeated and backward stamps, which Prometheus would not have taken, keep the first."""
    index = pd.to_datetime(np.maximum.accumulate(file.at), unit="s")
    return pd.Series(file.values, index=index)


def _onset(outside: np.ndarray, pause: int = PAUSE) -> tuple[Floats, Floats]:
    """An alert where two rows in a row are outside, and then not for the pause."""
    told, silent_until = np.zeros(len(outside)), -1
    for row in range(1, len(outside)):
        if outside[row] and outside[row - 1] and row > silent_until:
            told[row], silent_until = 1.0, row + pause
    return outside.astype(np.float64), told


def grafana_adaptive(file: Labelled) -> tuple[Floats, Floats]:
    """1 h mean ± 2 times the 26 h mean of the 1 h deviation, at least ± 50 %, or the same hour a day and a week ago."""
    values = _frame(file)
    mean, deviation = values.rolling("1h").mean(), values.rolling("1h").std().fillna(0)
    usual = deviation.rolling("26h").mean()
    calm = deviation.where(deviation <= 2 * usual, usual).rolling("26h").mean()
    centre = mean.rolling("26h").mean()
    low, high = np.minimum(centre - 2 * calm, centre * 0.5), np.maximum(centre + 2 * calm, centre * 1.5)
    unique = mean[~mean.index.duplicated()]
    for days in (1, 7):
        ago = unique.reindex(values.index - pd.Timedelta(days=days), method="ffill").to_numpy()
        low = np.fmin(low, ago - 2 * calm.to_numpy())
        high = np.fmax(high, ago + 2 * calm.to_numpy())
    return _onset(((values < low) | (values > high)).to_numpy())


def grafana_robust(file: Labelled) -> tuple[Floats, Floats]:
    """24 h median ± 2 times the 24 h median distance from it."""
    values = _frame(file)
    median = values.rolling("24h").median()
    distance = (values - median).abs().rolling("24h").median()
    return _onset(((values - median).abs() > 2 * distance).to_numpy())


def ewma(file: Labelled) -> tuple[Floats, Floats]:
    """z-score against an exponentially weighted mean and deviation with a half-life of 288 rows."""
    values = pd.Series(file.values)
    before = values.shift(1).ewm(halflife=288)
    scores = ((values - before.mean()).abs() / before.std().clip(lower=1e-6)).fillna(0).to_numpy()
    return scores, _paused(scores)


def isolation_forest(file: Labelled) -> tuple[Floats, Floats]:
    """Fitted to the free rows: value, change, mean and deviation of the last 12 rows (Liu et al., ICDM 2008)."""
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415  # in the train extra

    values = pd.Series(file.values)
    features = pd.DataFrame(
        {
            "value": values,
            "change": values.diff().fillna(0),
            "mean": values.rolling(12, 1).mean(),
            "deviation": values.rolling(12, 1).std().fillna(0),
        }
    ).to_numpy()
    free = max(free_rows(len(values)), 10)
    model = IsolationForest(n_estimators=100, random_state=0, n_jobs=1).fit(features[:free])
    scores = -model.score_samples(features)
    scores[:free] = 0
    return scores, _paused(scores)


def windowed_gaussian(file: Labelled, window: int = 6400, step: int = 100) -> tuple[Floats, Floats]:
    """The tail of a Gaussian fitted to the last rows, as NAB ships it (its published score: 39.65)."""
    from math import erfc  # noqa: PLC0415

    values = np.asarray(file.values)
    sums, squares = np.cumsum(values), np.cumsum(values**2)
    scores = np.zeros(len(values))
    for row in range(1, len(values)):
        end = row if row <= window else window + (row - window) // step * step
        start = max(0, end - window)
        total = sums[end - 1] - (sums[start - 1] if start else 0.0)
        square = squares[end - 1] - (squares[start - 1] if start else 0.0)
        mean = total / (end - start)
        spread = max(0.0, square / (end - start) - mean**2) ** 0.5 or 1e-6
        scores[row] = 1 - 0.5 * erfc(abs(values[row] - mean) / spread / 2**0.5)
    scores = scores.round(12)
    return scores, scores


def _paused(scores: Floats) -> Floats:
    """Only what is higher than all of the pause before it: a re-alert pause that suits any threshold."""
    highest = pd.Series(scores).shift(1).rolling(PAUSE, 1).max().fillna(-np.inf).to_numpy()
    return np.where(scores > highest, scores, 0.0)


def libraries(
    files: Sequence[Labelled], progress: Progress
) -> dict[str, tuple[Mapping[str, Floats], Mapping[str, Floats]]]:
    """What libraries that are no part of the project say, each by its name; nothing where they don't install.

    As many at once as there are processors; each has one.
    """
    ready = [(each, _interpreter(each, progress)) for each in ENVIRONMENTS]
    said: dict[str, tuple[Mapping[str, Floats], Mapping[str, Floats]]] = {}
    with scratch() as folder, ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        given = folder / "files.npz"
        free = np.array([free_rows(len(file.values)) for file in files])
        np.savez(given, *(np.asarray(file.values) for file in files), free=free)
        begun = {
            (name, title): pool.submit(_library, interpreter, given, name)
            for environment, interpreter in ready
            for name, title in environment.detectors.items()
            if interpreter is not None
        }
        for (name, title), future in begun.items():
            progress(title)
            try:
                scores = future.result()
            except (subprocess.SubprocessError, OSError) as exc:
                progress(f"{title} is not measured: {last_line(exc)}")
                continue
            each = {file.name: found for file, found in zip(files, scores, strict=True)}
            pause = (lambda found: found) if name in PAUSED_THEMSELVES else _paused
            said[title] = (each, {file: pause(found) for file, found in each.items()})
    return said


def _interpreter(environment: Environment, progress: Progress) -> Path | None:
    try:
        return own_environment(environment.folder, environment.packages, progress)
    except (subprocess.SubprocessError, OSError) as exc:
        progress(f"{', '.join(environment.packages)} are not measured: {last_line(exc)}")
        return None


def _library(interpreter: Path, given: Path, name: str) -> list[Floats]:
    made, script = given.with_name(f"{name}.npz"), Path(__file__).with_name("anomaly_libraries.py")
    alone = ["env", "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "NUMBA_NUM_THREADS=1"]
    output([*alone, str(interpreter), "-P", str(script), str(given), str(made), name], seconds=3600)
    with np.load(made) as found:
        return [found[f"arr_{number}"] for number in range(len(found.files))]


PEERS: Mapping[str, Detector] = {
    "Grafana adaptive band": grafana_adaptive,
    "Grafana robust band": grafana_robust,
    "EWMA z-score": ewma,
    "Isolation Forest": isolation_forest,
    "windowed Gaussian (NAB's)": windowed_gaussian,
}
