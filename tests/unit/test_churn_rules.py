"""The leak auditor, the gate, the triggers of retraining and the profit rule, on made-up numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sklearn", reason="scikit-learn is not installed; `make train-deps` installs it")

from ml.churn import retraining
from ml.churn.features.matrix import Columns
from ml.churn.model.artifact import Costs
from ml.churn.training import audit, gate, metrics, profit
from ml.churn.training.dataset import Dataset
from ml.churn.training.fit import fit_stack

pytestmark = pytest.mark.unit
RNG = np.random.default_rng(11)
NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _the_same_numbers() -> None:
    """Each test draws its own, whatever ran before it."""
    RNG.bit_generator.state = np.random.default_rng(11).bit_generator.state


def _world(rows: int = 4000, skill: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities and what came of them."""
    p = 1 / (1 + np.exp(-(RNG.normal(-1.5, skill, rows))))
    return p, (RNG.random(rows) < p).astype(np.int64)


# -- leaks -------------------------------------------------------------------------------------------------


def test_rows_on_both_sides_of_a_fold_are_found() -> None:
    rows = RNG.normal(size=(300, 3))
    doubled, labels = np.vstack([rows, rows]), np.tile([0, 1, 0], 200)
    [found] = audit.duplicates(doubled, labels, np.arange(600), 1)
    assert found.blocks
    assert "training and in test" in found.words
    assert audit.duplicates(rows, labels[:300], np.arange(300), 1) == []


def test_a_feature_that_tells_all_is_found() -> None:
    labels = np.tile([0, 1], 200)
    matrix = np.column_stack([RNG.normal(size=400), labels + RNG.normal(0, 0.1, 400)])
    [found] = audit.single_features(matrix, labels, ["honest", "cancelled_at"])
    assert "cancelled_at" in found.words


def test_outcomes_that_are_not_known_yet_are_found() -> None:
    end = date(2026, 11, 23)
    assert audit.time_order([end - timedelta(days=97)], 90, 7, end) == []
    [found] = audit.time_order([end - timedelta(days=30)], 90, 7, end)
    assert "not known" in found.words


def _at_cuts(apart_days: int, cuts: int = 6, rows: int = 40) -> Dataset:
    """Nothing but the times of rows."""
    total = cuts * rows
    return Dataset(
        matrix=RNG.normal(size=(total, 2)),
        labels=np.tile([0, 1], total // 2),
        groups=np.arange(total),
        cut_of=np.repeat(np.arange(cuts), rows),
        cuts=tuple(date(2026, 1, 5) + timedelta(days=apart_days * number) for number in range(cuts)),
        columns=Columns(numbers=("a", "b"), values={}),
        horizon_days=90,
        embargo_days=7,
        known_until=date(2028, 1, 1),
    )


def test_a_split_at_random_over_time_is_found() -> None:
    data = _at_cuts(28)
    assert audit.split_over_time(*data.split()) == []
    drawn = RNG.random(len(data.labels)) < 0.8
    [found] = audit.split_over_time(data.part(drawn), data.part(~drawn))
    assert found.blocks
    assert "still open" in found.words


def test_the_day_before_an_outcome_is_known_decides() -> None:
    data = _at_cuts(97, cuts=2)
    assert audit.split_over_time(*data.split()) == []
    early = replace(data, cuts=(data.cuts[0], data.cuts[1] - timedelta(days=1)))
    newest = data.cut_of == 1
    [found] = audit.split_over_time(early.part(~newest), early.part(newest))
    assert found.words.startswith("40 of 40 rows")


def test_classes_made_equal_before_the_split_are_found() -> None:
    assert audit.resampled(np.tile([0, 1], 100), 0.12)[0].check == "resampled before the split"
    assert audit.resampled(np.tile([0, 1], 100), 0.5) == []


def test_the_canary_sings_when_it_is_too_good() -> None:
    assert audit.canary(0.85) == []
    assert audit.canary(0.991)[0].blocks


# -- metrics and stack -------------------------------------------------------------------------------------


def test_metrics_agree_with_scikit_learn() -> None:
    from sklearn import metrics as theirs  # noqa: PLC0415

    p, y = _world()
    p = np.round(p, 2)  # ties
    assert metrics.auc(p, y) == pytest.approx(theirs.roc_auc_score(y, p))
    assert metrics.average_precision(p, y) == pytest.approx(theirs.average_precision_score(y, p))
    assert metrics.brier(p, y) == pytest.approx(theirs.brier_score_loss(y, p))
    assert metrics.log_loss(np.clip(p, 0.01, 0.99), y) == pytest.approx(
        theirs.log_loss(y, np.clip(p, 0.01, 0.99))
    )
    at = metrics.best_f1(p, y)
    assert metrics.decided(p, y, at)["f1"] == pytest.approx(theirs.f1_score(y, p >= at))


def test_a_useless_member_gets_no_weight_and_no_negative_one() -> None:
    p, y = _world()
    good = np.log(p / (1 - p))
    stack = fit_stack(np.column_stack([good, RNG.normal(size=len(y)), -good]), y)
    assert all(weight >= 0 for weight in stack.weights)
    assert stack.weights[0] > 0.7
    assert stack.weights[1] < 0.1


# -- gate --------------------------------------------------------------------------------------------------


def test_a_better_challenger_passes() -> None:
    p, y = _world()
    worse = np.clip(p + RNG.normal(0, 0.15, len(p)), 0.01, 0.99)
    verdict = gate.judge(p, worse, y)
    assert verdict.passed
    assert verdict.chance >= 0.95


@pytest.mark.parametrize("noise", [0.0, 0.15])
def test_an_equal_or_worse_one_does_not(noise: float) -> None:
    p, y = _world()
    assert not gate.judge(np.clip(p + RNG.normal(0, noise, len(p)), 0.01, 0.99), p, y).passed


def test_one_that_only_fits_the_season_does_not() -> None:
    p, y = _world(20_000)
    odds = np.log(p / (1 - p))
    verdict = gate.judge(p, 1 / (1 + np.exp(-(odds - 0.2))), y)
    assert verdict.chance >= 0.95
    assert not verdict.passed
    assert "in every season" in verdict.words


def test_a_better_ranking_does_not_pay_for_a_level_that_a_season_makes_wrong() -> None:
    """On these outcomes it is better, ranking and level; were fewer to leave by now, the champion would be."""
    p, y = _world(20_000)
    odds = np.log(p / (1 - p))
    champion = 1 / (1 + np.exp(-(odds + RNG.normal(0, 0.4, len(p)) - 0.45)))
    levelled = metrics.levelled(champion, y)
    gain = metrics.losses(levelled, y) - metrics.losses(p, y)
    assert gain.mean() > 2 * gate.LEAST_GAIN * metrics.log_loss(champion, y)
    fewer = (RNG.random(len(p)) < metrics.moved(p, -gate.SEASON)).astype(np.int64)
    assert metrics.log_loss(p, fewer) > metrics.log_loss(champion, fewer)
    verdict = gate.judge(p, champion, y)
    assert verdict.chance >= gate.SURE
    assert not verdict.passed
    assert gate.judge(p, levelled, y).passed


def test_where_the_champions_sums_do_not_fit_at_all_the_level_counts() -> None:
    p, y = _world(20_000)
    odds = np.log(p / (1 - p))
    assert gate.judge(p, 1 / (1 + np.exp(-(odds - 1.5))), y).passed


def test_a_gain_too_small_to_outlast_a_label_cycle_does_not() -> None:
    p, y = _world(30_000)
    odds = np.log(p / (1 - p)) + RNG.normal(0, 0.2, len(p))
    verdict = gate.judge(p, 1 / (1 + np.exp(-odds)), y)
    assert verdict.chance >= 0.95
    assert not verdict.passed


@given(shift=st.floats(-3, 3), seed=st.integers(0, 99))
def test_levelled_probabilities_add_up_and_keep_their_order(shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    odds = rng.normal(-1, 2, 300)
    y = (rng.random(300) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    said = metrics.levelled(1 / (1 + np.exp(-(odds + shift))), y)
    assert said.sum() == pytest.approx(y.sum(), abs=1e-3)
    assert (np.argsort(said, kind="stable") == np.argsort(odds, kind="stable")).all()


def test_after_a_promotion_the_model_before_may_be_the_better_one() -> None:
    p, y = _world()
    worse = np.clip(p + RNG.normal(0, 0.15, len(p)), 0.01, 0.99)
    assert gate.chance_outdone(p, worse, y) >= gate.SURE
    assert gate.chance_outdone(worse, p, y) < 0.05
    assert gate.chance_outdone(p[:100], worse[:100], y[:100]) == 0.0


def test_better_on_the_whole_and_worse_for_some_is_not_enough() -> None:
    p, y = _world(6000)
    segments = np.repeat(["a", "b"], 3000)
    old = np.clip(p + RNG.normal(0, 0.2, len(p)), 0.01, 0.99)
    new = p.copy()
    old[3000:], new[3000:] = p[3000:], np.clip(p[3000:] + RNG.normal(0, 0.15, 3000), 0.01, 0.99)
    verdict = gate.judge(new, old, y, segments)
    assert not verdict.passed
    assert "worse for b" in verdict.words


def test_a_challenger_waits_for_its_shadow_cycle() -> None:
    p, y = _world()
    worse = np.clip(p + RNG.normal(0, 0.15, len(p)), 0.01, 0.99)
    assert not gate.judge(p, worse, y, shadow_cycles=0).passed


# -- retraining --------------------------------------------------------------------------------------------


def _reasons(p: np.ndarray, y: np.ndarray, **changed: Any) -> list[retraining.Reason]:
    told = {
        "now": NOW, "trained_at": NOW - timedelta(days=1), "promised_auc": metrics.auc(*_world()),
        "probabilities": p, "labels": y, "drift": {},
    }  # fmt: skip
    return retraining.reasons(retraining.Policy(), **(told | changed))


def test_a_good_champion_is_left_alone() -> None:
    assert _reasons(*_world()) == []


def test_its_age_its_ranking_and_its_sums_are_watched() -> None:
    p, y = _world()
    assert [r.kind for r in _reasons(p, y, trained_at=NOW - timedelta(days=8))] == ["schedule"]
    assert "degradation" in [r.kind for r in _reasons(p[::-1].copy(), y)]
    assert [r.kind for r in _reasons(p * 0.6, y)] == ["calibration"]


def test_calm_weeks_and_a_season_are_no_calibration_alarm() -> None:
    """The stated rate: 3 sigma beyond a quarter, so less than one of 500 calm weeks in the long run."""
    for _ in range(500):
        assert "calibration" not in {reason.kind for reason in _reasons(*_world(1000))}
    p, _ = _world()
    busier = (RNG.random(len(p)) < np.minimum(p * 1.2, 1)).astype(np.int64)
    assert "calibration" not in {reason.kind for reason in _reasons(p, busier)}


def test_drift_alone_opens_an_event_and_trains_nothing() -> None:
    [found] = _reasons(*_world(), drift={"logins_28d": 0.4, "open_tickets": 0.1})
    assert (found.kind, found.retrains) == ("drift", False)


def test_a_promise_that_was_measured_roughly_is_held_less_tightly() -> None:
    p, y = _world()
    promised = metrics.auc(p, y) + 0.055
    assert "degradation" in [r.kind for r in _reasons(p, y, promised_auc=promised)]
    assert _reasons(p, y, promised_auc=promised, promised_error=0.03) == []


def test_few_outcomes_say_nothing() -> None:
    p, y = _world(100)
    assert _reasons(p[::-1].copy() * 0.1, y) == []


# -- profit ------------------------------------------------------------------------------------------------


def test_the_threshold_is_where_acting_pays() -> None:
    p, y = _world(20_000)
    costs = Costs(contact=1, offer=10, accept=0.3)
    at, each = profit.threshold(p, y, np.full(len(y), 200.0), costs)
    # A leaver brings .3 (200 - 10) - 1 = 56, a stayer costs 11: it pays from p = 11 / 67 on.
    assert at == pytest.approx(11 / 67, abs=0.05)
    assert each > 0


def test_where_nothing_pays_nobody_is_called() -> None:
    p, y = _world()
    assert profit.threshold(p, y, np.full(len(y), 5.0), Costs())[0] == 1.0


def test_savings_are_against_the_cheaper_of_nobody_and_all() -> None:
    y = np.array([1, 1, 0, 0])
    costs = {
        name: np.full(4, cost) for name, cost in {"hit": 2.0, "miss": 10.0, "alarm": 3.0, "rest": 0.0}.items()
    }
    assert profit.savings(y == 1, y, costs) == pytest.approx(1 - 4 / 10)
    assert profit.savings(np.zeros(4, bool), y, costs) < 0
