"""The same models evaluated rightly and wrongly: what a leak would have promised."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold

from benchmarks.churn_accuracy import Floats, Labels, _lapse, _read, _telco
from benchmarks.report import Aim, Progress, Section
from ml.churn.training import metrics

CUTS = [date(1997, month, 28) for month in range(6, 13)]
TEST_CUT = date(1998, 3, 31)


def run(progress: Progress, *, quick: bool = False) -> Section:
    progress("IBM Telco: copies of leavers before and after the split")
    x, y = _matrix(quick=quick)
    honest, leaky = _folded(x, y, before=False), _folded(x, y, before=True)
    progress("IBM Telco: a column that follows from the label")
    told = np.column_stack([x, np.where(y == 1, 1.0, 0.0) + np.random.default_rng(1).normal(0, 0.2, len(y))])
    answer = _folded(told, y, before=False)
    progress("CDNOW: a random split over time")
    on_time, at_random = _cdnow(quick=quick)
    rows = [
        ("IBM Telco, random forest: leavers copied within the training part only", *_row(honest)),
        ("the same, copied before the split", *_row(leaky)),
        ("the same, with a column that follows from the label", *_row(answer)),
        ("CDNOW, random forest: trained on the past", *_row(on_time)),
        ("the same, split at random over time", *_row(at_random)),
    ]
    return Section(
        "churn_leaks",
        "Churn: what leaks would have promised",
        ("evaluation", "AUC", "F1", "accuracy"),
        rows,
        (Aim("AUC that copies before the split add", "-", f"{leaky[0] - honest[0]:+.3f}"),),
        notes=(
            (
                "Five folds; threshold .5. `signalbox churn audit` finds copied rows and columns that follow from the label; a "
                "split over time can't happen in the pipeline, which cuts by date. The random split shares customers and mixes "
                "base rates too, so not all of its gain is time's."
            ),
        ),
    )


def _row(found: tuple[float, float, float]) -> tuple[str, str, str]:
    return f"{found[0]:.3f}", f"{found[1]:.3f}", f"{found[2]:.3f}"


def _matrix(*, quick: bool) -> tuple[Floats, Labels]:
    task = _telco(quick=quick)
    return np.nan_to_num(task.matrix), task.labels


def _folded(x: Floats, y: Labels, *, before: bool) -> tuple[float, float, float]:
    if before:
        x, y = _copied(x, y)
    said, truth = [], []
    for used, left in StratifiedKFold(5, shuffle=True, random_state=0).split(x, y):
        xs, ys = (x[used], y[used]) if before else _copied(x[used], y[used])
        said.append(_forest().fit(xs, ys).predict_proba(x[left])[:, 1])
        truth.append(y[left])
    return _scores(np.concatenate(said), np.concatenate(truth))


def _copied(x: Floats, y: Labels) -> tuple[Floats, Labels]:
    """Leavers drawn again until there are as many as stayers."""
    rng = np.random.default_rng(0)
    more = rng.choice(np.flatnonzero(y == 1), int((y == 0).sum() - (y == 1).sum()))
    return np.concatenate([x, x[more]]), np.concatenate([y, y[more]])


def _cdnow(*, quick: bool) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    frame = _read("cdnow").with_columns(pl.col("date").cast(pl.String).str.to_date())
    parts = [_lapse(frame, cut) for cut in (CUTS[-2:] if quick else CUTS)]
    x, y = (np.concatenate([part[at] for part in parts]) for at in range(2))
    xt, yt, _ = _lapse(frame, TEST_CUT)
    on_time = _forest().fit(_known(x), y).predict_proba(_known(xt))[:, 1]
    every, all_y = np.concatenate([_known(x), _known(xt)]), np.concatenate([y, yt])
    held = np.random.default_rng(0).random(len(all_y)) < 0.2
    mixed = _forest().fit(every[~held], all_y[~held]).predict_proba(every[held])[:, 1]
    return _scores(on_time, yt), _scores(mixed, all_y[held])


def _known(x: Floats) -> Floats:
    return np.nan_to_num(x, nan=-1.0)


def _forest() -> Any:
    return RandomForestClassifier(200, min_samples_leaf=2, n_jobs=2, random_state=0)


def _scores(p: Floats, y: Labels) -> tuple[float, float, float]:
    decided = metrics.decided(p, y, 0.5)
    return metrics.auc(p, y), decided["f1"], decided["accuracy"]
