"""NAB's scoring rules: by hand on small files, and against published figures on the benchmark's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import erfc, exp
from pathlib import Path

import numpy as np
import pytest

from ml.anomaly import nab
from ml.anomaly.errors import SeriesError
from ml.anomaly.labelled import Floats, Labelled, read_folder, read_samples

pytestmark = pytest.mark.unit
FOLDER = Path(__file__).parents[3] / "shared" / "data" / "nab"


def series(
    name: str = "a/x.csv", rows: int = 100, windows: tuple[tuple[int, int], ...] = ((50, 59),)
) -> Labelled:
    return Labelled(name, np.arange(rows) * 300.0, np.zeros(rows), windows)


def marked(*rows: int, of: int = 100) -> Floats:
    scores = np.zeros(of)
    scores[list(rows)] = 1.0
    return scores


def at_one(scores: Floats, profile: nab.Profile = nab.STANDARD, file: Labelled | None = None) -> float:
    file = file or series()
    return nab.scored_at([file], {file.name: scores}, profile, 1.0)


def test_silence_is_0_and_the_first_row_of_every_window_100() -> None:
    assert at_one(marked()) == 0.0
    assert at_one(marked(50)) == pytest.approx(100.0)


def test_only_the_best_detection_of_a_window_counts_and_late_ones_earn_less() -> None:
    late = (2 / (1 + exp(-5 * 0.1)) - 1) / (2 / (1 + exp(-5)) - 1)
    assert at_one(marked(59)) == pytest.approx(100 * (1 + late) / 2)
    assert at_one(marked(50, 52, 59)) == pytest.approx(100.0)


def test_a_detection_outside_costs_its_weight_and_less_just_after_a_window() -> None:
    assert at_one(marked(50, 30)) == pytest.approx(100 - 100 * 0.11 / 2)
    assert at_one(marked(50, 30), nab.LOW_FALSE_POSITIVES) == pytest.approx(100 - 100 * 0.22 / 2)
    near = 1 - 2 / (1 + exp(5 / 9))
    assert at_one(marked(50, 60)) == pytest.approx(100 - 100 * 0.11 * near / 2)
    assert at_one(marked(50, 99)) == pytest.approx(100 - 100 * 0.11 / 2)


def test_the_first_rows_are_free() -> None:
    assert nab.free_rows(100) == 15
    assert nab.free_rows(22695) == 750
    assert at_one(marked(50, 14)) == pytest.approx(100.0)
    assert at_one(marked(50, 15)) < 100.0


def test_the_threshold_is_the_best_of_all_and_left_out_that_of_the_others() -> None:
    one, two = series("a/x.csv"), series("b/y.csv")
    scores = {one.name: marked(50) * 0.9 + marked(20) * 0.5, two.name: marked(50) * 0.6}
    own = nab.scored([one, two], scores, nab.STANDARD)
    assert own.thresholds == (0.6,)
    assert own.score == pytest.approx(100.0)
    apart = nab.left_out([one, two], scores, nab.STANDARD)
    assert apart.thresholds == (0.6, 0.9)
    assert apart.score == pytest.approx(50.0)


def test_a_file_that_is_no_series_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("timestamp,value\n2026-03-01T10:00:00Z,1\nyesterday,2\n")
    with pytest.raises(SeriesError, match="line 3 is not a sample"):
        read_samples(file)
    with pytest.raises(SeriesError, match="layout of NAB"):
        read_folder(tmp_path)


@pytest.fixture(scope="module")
def files() -> list[Labelled]:
    if not FOLDER.exists():
        pytest.skip(f"{FOLDER} is not there: the benchmark's data are not part of the project.")
    return read_folder(FOLDER)


def published(name: str) -> list[float]:
    found: Mapping[str, list[float]] = json.loads((FOLDER / "expected_scores.json").read_text())[
        "published_standard_lowFP_lowFN"
    ]
    return found[name]


def test_the_corpus_is_the_published_one(files: list[Labelled]) -> None:
    assert (len(files), sum(len(file.at) for file in files)) == (58, 365558)
    assert sum(len(file.windows) for file in files) == 116


def windowed_gaussian(values: Floats, window: int = 6400, step: int = 100) -> Floats:
    """The tail of a Gaussian fitted to the last rows; the benchmark's simplest published detector."""
    sums, squares = np.cumsum(values), np.cumsum(values**2)
    scores = np.zeros(len(values))
    for row in range(1, len(values)):
        end = row if row <= window else window + (row - window) // step * step
        start = max(0, end - window)
        total, square = sums[end - 1], squares[end - 1]
        if start:
            total, square = total - sums[start - 1], square - squares[start - 1]
        mean = total / (end - start)
        spread = max(0.0, square / (end - start) - mean**2) ** 0.5 or 1e-6
        scores[row] = 1 - 0.5 * erfc(abs(values[row] - mean) / spread / 2**0.5)
    # The published scores were stored with twelve decimals, and the best threshold is the largest of them.
    return scores.round(12)


def test_published_scores_are_reproduced(files: list[Labelled]) -> None:
    scores = {file.name: windowed_gaussian(file.values) for file in files}
    found = [nab.scored(files, scores, profile).score for profile in nab.PROFILES]
    assert found == pytest.approx(published("windowedGaussian"), abs=0.05)
    silent = {file.name: np.zeros(len(file.at)) for file in files}
    assert [nab.scored(files, silent, profile).score for profile in nab.PROFILES] == published("null")
