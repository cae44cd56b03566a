"""Draws the replayed, made-up series of docs/anomalies.md anew: `python docs/images/anomaly.py`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from ml.anomaly import picture  # noqa: E402 - the repository has to be on the path first
from ml.anomaly.labelled import Labelled  # noqa: E402
from ml.anomaly.replay import replay  # noqa: E402

DAY, DAYS = 288, 21


def requests() -> Labelled:
    """Three weeks of requests a second: weekends are quiet, one peak is missing, one hour is far too busy."""
    rows = np.arange(DAY * DAYS)
    day, hour = rows // DAY, rows % DAY / 12
    values = 120 - 80 * np.cos(2 * np.pi * hour / 24) + 6 * np.random.default_rng(4).normal(size=len(rows))
    values = np.where(day % 7 >= 5, 0.5 * values, values)
    values[17 * DAY + 120 : 17 * DAY + 190] = 70 + 4 * np.random.default_rng(5).normal(size=70)
    values[19 * DAY + 40 : 19 * DAY + 52] += 260
    return Labelled("requests a second", 1_767_571_200.0 + rows * 300.0, values)


if __name__ == "__main__":
    series = requests()
    (HERE / "anomaly-replay.png").write_bytes(picture.png(series, replay([series])[series.name]))
