"""Metrics against values worked out by hand, and calibration on made-up logits."""

from __future__ import annotations

import numpy as np
import pytest

from ml.tagging import calibration, metrics

pytestmark = pytest.mark.unit
PROBABILITIES = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], np.float32)
LABELS = np.array([0, 0, 1, 1])


def test_calibration_error_is_the_mean_gap() -> None:
    gaps = [abs(0.9 - 1), abs(0.8 - 1), abs(0.7 - 1), abs(0.6 - 0)]
    assert metrics.ece(PROBABILITIES, LABELS) == pytest.approx(sum(gaps) / 4, abs=1e-6)


def test_coverage_stops_where_precision_would_fall_below() -> None:
    assert metrics.coverage(PROBABILITIES, LABELS, 1.0) == 0.75
    assert metrics.coverage(PROBABILITIES, LABELS, 0.75) == 1.0
    assert metrics.coverage(PROBABILITIES[3:], LABELS[3:], 0.9) == 0.0


def test_auroc_counts_pairs_and_halves_ties() -> None:
    inside, outside = np.array([3.0, 2.0], np.float32), np.array([1.0, 2.0], np.float32)
    assert metrics.auroc(inside, outside) == pytest.approx(3.5 / 4)


def test_interval_holds_the_mean_and_a_clear_gain_is_seen() -> None:
    new = np.array([True] * 90 + [False] * 10)
    low, high = metrics.interval(new)
    assert low < 0.9 < high
    gain, lowest, _ = metrics.difference(new, np.array([True] * 60 + [False] * 40))
    assert gain == pytest.approx(0.3)
    assert lowest > 0


def test_confusion_has_the_truth_in_rows() -> None:
    assert metrics.confusion(np.array([1, 1]), np.array([0, 1]), 2).tolist() == [[0, 1], [0, 1]]


def logits(size: int = 4000, classes: int = 4, sharp: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated logits times `sharp`, and labels drawn from them."""
    draw = np.random.default_rng(7)
    raw = draw.normal(size=(size, classes)).astype(np.float32) * 2
    shares = calibration.softmax(raw)
    labels = (shares.cumsum(axis=1) > draw.random((size, 1))).argmax(axis=1)
    return (raw * sharp).astype(np.float32), labels


def test_temperature_undoes_overconfidence() -> None:
    found, labels = logits()
    temperature = calibration.temperature(found, labels, np.arange(4))
    assert temperature == pytest.approx(3.0, rel=0.1)
    assert metrics.ece(calibration.softmax(found / temperature), labels) < 0.03


def test_bands_reach_the_stated_precision_for_each_category() -> None:
    found, labels = logits(sharp=1.0)
    shares = calibration.softmax(found)
    bands = calibration.bands(shares, labels, "abcd", 0.9)
    for number, name in enumerate("abcd"):
        own = (shares.argmax(axis=1) == number) & (shares.max(axis=1) >= bands[name].apply_at)
        assert (labels[own] == number).mean() >= 0.9
        assert 0.5 <= bands[name].apply_at <= 1.0


def test_a_category_that_is_never_right_is_never_applied() -> None:
    shares = np.tile(np.array([[0.9, 0.1]], np.float32), (100, 1))
    bands = calibration.bands(shares, np.ones(100, np.int64), "ab", 0.9)
    assert bands["a"].apply_at > 1
    assert bands["a"].suggest_at == 0.5


def test_scope_tells_known_from_unknown() -> None:
    inside, outside = np.array([5.0, 6.0, 7.0], np.float32), np.array([1.0, 2.0], np.float32)
    assert 2.0 < calibration.scope(inside, outside) <= 5.0
    assert calibration.scope(np.arange(100, dtype=np.float32), outside[:0]) == pytest.approx(1.98)


def test_fine_labels_are_summed_into_their_category() -> None:
    fine = np.array([[0.2, 0.3, 0.5]], np.float32)
    assert calibration.rolled_up(fine, np.array([0, 0, 1]), 2).tolist() == [[0.5, 0.5]]
