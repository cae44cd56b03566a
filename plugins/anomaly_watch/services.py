"""Services whose metrics are watched together: training on their history, and the newest sample's verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from bot.plugin import Metrics
from ml.anomaly import SeriesError, Verdict, joint, tracking
from ml.anomaly.joint import JointModel
from ml.anomaly.state import Floats
from plugins.anomaly_watch.config import AnomalyWatchConfig, Service

RECENT = 3
"""Samples in a row that have to be strange together."""


def train(
    service: Service, config: AnomalyWatchConfig, metrics: Metrics, folder: Path, now: datetime
) -> JointModel | None:
    """Fit on the history, store and register; None while there is too little of it."""
    start = now - timedelta(days=config.history_days)
    rows = _rows(service, metrics, start, now, config.history_step)
    try:
        model = joint.fit(list(service.queries), rows)
    except SeriesError:
        return None
    file = _file(folder, service)
    joint.write(model, file)
    tracking.record(folder.parent / "mlflow", service.name, model, file)
    return model


def judge(
    service: Service, config: AnomalyWatchConfig, metrics: Metrics, folder: Path, now: datetime
) -> tuple[Verdict, list[str]] | None:
    """The verdict on the newest samples and the metrics, likely cause first; None without model or data."""
    model = joint.read(_file(folder, service))
    if model is None or model.names != tuple(service.queries):
        return None
    rows = _rows(service, metrics, now - timedelta(seconds=config.step * (RECENT - 1)), now, config.step)
    strengths = model.strengths(rows)
    strengths = strengths[np.isfinite(strengths)]
    if not len(strengths):
        return None
    lasting = float(strengths[-RECENT:].min()) if len(strengths) >= RECENT else 0.0
    since = (now - timedelta(seconds=config.step * RECENT)).timestamp() if lasting >= 1 else math.nan
    score = lasting / (1 + lasting)
    verdict = Verdict(
        at=now.timestamp(),
        value=lasting,
        counted=True,
        score=score,
        news=score,
        expected=0.0,
        lower=0.0,
        upper=1.0,
        firing=lasting >= 1,
        since=since,
        reason="shape",
        exhausted=math.inf,
    )
    complete = rows[np.isfinite(rows).all(axis=1)]
    return verdict, model.likely(complete[-1])


def _rows(service: Service, metrics: Metrics, start: datetime, end: datetime, step: float) -> Floats:
    """[times, metrics] on one grid; NaN where a metric has no value, or more than one series."""
    first = math.floor(start.timestamp() / step) * step
    times = np.arange(first, end.timestamp() + step / 2, step)
    rows = np.full((len(times), len(service.queries)), np.nan)
    for column, query in enumerate(service.queries.values()):
        for at, value in _single(metrics, query, first, end, step).items():
            place = round((at - first) / step)
            if 0 <= place < len(times):
                rows[place, column] = value
    return rows


def _single(metrics: Metrics, query: str, first: float, end: datetime, step: float) -> Mapping[float, float]:
    start = datetime.fromtimestamp(first, end.tzinfo)
    found = metrics.query_range(query, start=start, end=end, step=step)
    if len(found) != 1:
        return {}
    return {at.timestamp(): value for at, value in found[0].points}


def _file(folder: Path, service: Service) -> Path:
    return folder / "joint" / f"{service.name}.json"
