"""Events, false alerts and VUS-PR by hand; a replayed file as a picture and on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ml.anomaly.labelled import Labelled
from ml.anomaly.measures import by_row, events, vus_pr
from plugins.anomaly_watch.cli import app

pytestmark = pytest.mark.unit
DAY = 288


def series(windows: tuple[tuple[int, int], ...] = ((300, 339),), rows: int = 2 * DAY) -> Labelled:
    return Labelled("a/x.csv", 1.7e9 + np.arange(rows) * 300.0, np.zeros(rows), windows)


def marked(*rows: int) -> np.ndarray:
    scores = np.zeros(2 * DAY)
    scores[list(rows)] = 1.0
    return scores


def test_events_count_windows_and_alerts_not_points() -> None:
    file = series(((300, 339), (400, 439)))
    found = events([file], {file.name: marked(310, 320, 200, 10)}, 1.0)
    assert (found.windows, found.found, found.alerts, found.false) == (2, 1, 3, 1)
    assert (found.recall, found.precision) == (0.5, pytest.approx(2 / 3))
    assert found.delay == 10
    assert found.false_a_day == pytest.approx(1 / (file.days * (1 - 86 / 576)))


def test_by_rows_a_detector_that_says_nothing_is_accurate_too() -> None:
    file = series()
    silent = by_row([file], {file.name: marked() > 0})
    rows = 2 * DAY - 86
    assert (silent.accuracy, silent.false_positive_rate) == (pytest.approx(1 - 40 / rows), 0)
    loud = by_row([file], {file.name: marked(310, 200) > 0})
    assert loud.accuracy == silent.accuracy
    assert loud.false_positive_rate == pytest.approx(1 / (rows - 40))


def test_vus_pr_is_1_for_the_windows_themselves_and_low_for_noise() -> None:
    file = series()
    assert vus_pr(file, file.inside().astype(float), (0,)) == pytest.approx(1.0)
    assert vus_pr(file, file.inside().astype(float)) > 0.8
    assert vus_pr(file, np.random.default_rng(0).random(2 * DAY)) < 0.25


def test_a_near_miss_counts_in_part_and_a_far_one_does_not() -> None:
    near, far = (np.zeros(2 * DAY) for _ in range(2))
    near[342:360], far[500:518] = 1.0, 1.0
    assert vus_pr(series(), near) > 2 * vus_pr(series(), far)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    values = 10 + 0.1 * np.random.default_rng(0).normal(size=600)
    values[500:503] = 20
    rows = [
        f"2026-01-{1 + n // DAY:02d} {n % DAY // 12:02d}:{n % 12 * 5:02d}:00,{v:.3f}"
        for n, v in enumerate(values)
    ]
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.csv").write_text("timestamp,value\n" + "\n".join(rows) + "\n")
    windows = {"a/x.csv": [["2026-01-02 16:00:00", "2026-01-02 20:00:00"]]}
    (tmp_path / "combined_windows.json").write_text(json.dumps(windows))
    return tmp_path


def test_a_file_is_replayed_and_drawn(folder: Path) -> None:
    target = folder / "x.png"
    done = CliRunner().invoke(
        app, ["replay", str(folder / "a" / "x.csv"), "--out", str(target), "--unit", "s"]
    )
    assert done.exit_code == 0, done.output
    assert "2026-01-02 17:40 20 s, expected 9." in done.output
    assert target.read_bytes().startswith(b"\x89PNG")


def test_labelled_files_are_evaluated(folder: Path) -> None:
    done = CliRunner().invoke(app, ["evaluate", str(folder)])
    assert done.exit_code == 0, done.output
    assert "recall 1.00" in done.output
    assert "NAB standard: 9" in done.output
