"""Outcomes that people record reach training as labels."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from churn_samples import scored, write

from bot.testing import Kit
from ml.churn.errors import DataError
from ml.churn.features.matrix import Columns
from ml.churn.training import outcomes
from ml.churn.training.dataset import Dataset
from ml.churn.training.outcomes import Recorded
from plugins.churn_digest import ChurnDigest

pytestmark = pytest.mark.unit
CUTS = (date(2026, 1, 1), date(2026, 4, 15))


def data() -> Dataset:
    """Three customers at two cuts; C-2 left at the second."""
    return Dataset(
        matrix=np.zeros((6, 1)),
        labels=np.array([0, 0, 0, 0, 0, 1]),
        groups=np.array(["C-0", "C-1", "C-2"] * 2),
        cut_of=np.array([0, 0, 0, 1, 1, 1]),
        cuts=CUTS,
        columns=Columns(numbers=("logins",), values={}),
        horizon_days=90,
        embargo_days=7,
        known_until=date(2026, 8, 1),
    )


def recorded(customer: str, outcome: str, day: date, *, treated: bool = True) -> Recorded:
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return Recorded.model_validate(
        {"customer_id": customer, "outcome": outcome, "recorded_at": at, "treated": treated}
    )


def test_a_recorded_departure_is_a_label_of_the_window_it_fell_in() -> None:
    found = outcomes.applied(data(), [recorded("C-0", "churned", date(2026, 2, 1))])
    assert found.labels.tolist() == [1, 0, 0, 0, 0, 1]
    assert data().labels.tolist() == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("day", [date(2026, 1, 7), date(2026, 4, 8), date(2026, 12, 1)])
def test_what_fell_in_no_window_changes_nothing(day: date) -> None:
    found = outcomes.applied(data(), [recorded("C-0", "churned", day)])
    assert found.labels.tolist() == data().labels.tolist()


def test_a_saved_customer_is_no_example_of_one_who_stays() -> None:
    found = outcomes.applied(data(), [recorded("C-1", "saved", date(2026, 2, 1))])
    assert list(zip(found.groups, found.cut_of, strict=True)) == [
        ("C-0", 0), ("C-2", 0), ("C-0", 1), ("C-1", 1), ("C-2", 1),
    ]  # fmt: skip


def test_a_false_alarm_and_an_untreated_customer_stay_examples() -> None:
    told = [
        recorded("C-0", "false_alarm", date(2026, 2, 1)),
        recorded("C-1", "saved", date(2026, 2, 1), treated=False),
    ]
    assert len(outcomes.applied(data(), told).labels) == 6


def test_what_the_digest_writes_is_what_training_reads(tmp_path: Path) -> None:
    write(tmp_path, [scored(0)])
    with Kit(ChurnDigest, settings={"data_dir": tmp_path}) as kit:
        kit.grant("U1", "churn.*")
        kit.clock.set(datetime(2026, 1, 5, 9, tzinfo=UTC))
        kit.tick("post")
        before = outcomes.sealed("a" * 64, tmp_path / "churn")
        kit.choose("Record outcome", "churned")
    [found] = outcomes.read(tmp_path / "churn")
    assert (found.customer_id, found.outcome, found.day) == ("C-0000", "churned", date(2026, 1, 5))
    assert before == "a" * 64
    assert outcomes.sealed("a" * 64, tmp_path / "churn") != before


@pytest.mark.parametrize("broken", ["{", json.dumps({"customer_id": "C-1", "outcome": "vanished"})])
def test_a_damaged_file_says_what_to_do(tmp_path: Path, broken: str) -> None:
    (tmp_path / outcomes.FILE).write_text(broken + "\n")
    with pytest.raises(DataError, match="Move it away"):
        outcomes.read(tmp_path)


def test_no_file_is_no_outcome(tmp_path: Path) -> None:
    assert outcomes.read(tmp_path) == []
