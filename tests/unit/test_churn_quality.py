"""Data that can't be used: each fault has its words, and the last good tables stay."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

pl = pytest.importorskip("polars", reason="polars is not installed; `make train-deps` installs it")

from ml.churn import quality, reading, simulate, store  # noqa: E402
from ml.churn.errors import DataError  # noqa: E402
from ml.churn.tables import TABLES  # noqa: E402

pytestmark = pytest.mark.unit
DAY = date(2026, 11, 23)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Tables as CSV, as somebody would export them."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for name, frame in simulate.tables(120, 40, DAY, seed=5).items():
        frame.write_csv(folder / f"{name}.csv")
    return folder


def _edit(raw: Path, name: str, change) -> None:
    file = raw / f"{name}.csv"
    change(pl.read_csv(file, infer_schema=False)).write_csv(file)


def _broken(raw: Path, folder: Path) -> str:
    report = store.etl(raw, folder, DAY)
    assert not report.passed
    return " ".join(f"{check.table}: {check.name}. {check.words} {check.todo}" for check in report.broken)


def test_good_tables_pass_and_are_kept(raw: Path, tmp_path: Path) -> None:
    report = store.etl(raw, tmp_path / "churn", DAY)
    assert report.passed
    kept = store.load(tmp_path / "churn")
    assert kept.as_of == DAY
    assert len(kept.frames["customers"]) == 120
    assert "can be used" in (tmp_path / "churn/quality" / f"{DAY}.md").read_text()


def test_csv_and_parquet_give_the_same_tables(raw: Path, tmp_path: Path) -> None:
    store.etl(raw, tmp_path / "one", DAY)
    frames = store.load(tmp_path / "one").frames
    reading.write(frames, tmp_path / "parquet")
    store.etl(tmp_path / "parquet", tmp_path / "other", DAY)
    again = store.load(tmp_path / "other").frames
    assert all(
        frames[name].sort(table.key).equals(again[name].sort(table.key)) for name, table in TABLES.items()
    )


@pytest.mark.parametrize("fault", ["empty day", "two currencies", "many duplicates", "future"])
def test_a_batch_that_is_not_fit_stops_and_leaves_the_last_good_one(
    raw: Path, tmp_path: Path, fault: str
) -> None:
    folder = tmp_path / "churn"
    store.etl(raw, folder, DAY)
    before = (folder / "tables" / "meta.json").read_text()
    changes = {
        "empty day": ("usage", lambda f: f.clear(), "usage: rows"),
        "two currencies": (
            "customers",
            lambda f: f.with_columns(pl.Series("currency", ["EUR", "USD"] * 60)),
            "customers: one currency",
        ),
        "many duplicates": ("customers", lambda f: pl.concat([f, f]), "customers: share set aside"),
        "future": (
            "tickets",
            lambda f: f.with_columns(pl.lit("2031-01-01").alias("opened")),
            "tickets: share",
        ),
    }
    name, change, said = changes[fault]
    _edit(raw, name, change)
    assert said in _broken(raw, folder)
    assert (folder / "tables" / "meta.json").read_text() == before
    told = json.loads((folder / "quality" / f"{DAY}.json").read_text())
    assert told["passed"] is False
    assert "what to do" in (folder / "quality" / f"{DAY}.md").read_text()


def test_a_source_that_brings_nothing_any_more_stops(raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "churn"
    assert store.etl(raw, folder, DAY).passed
    report = store.etl(raw, folder, DAY + timedelta(days=60))
    assert [(check.table, check.name) for check in report.broken] == [("usage", "fresh")]
    assert store.load(folder).as_of == DAY


def test_bad_rows_are_set_aside_with_the_reason(raw: Path, tmp_path: Path) -> None:
    def spoil(frame):
        days = frame["day"].to_list()
        logins = frame["logins"].to_list()
        customers = frame["customer_id"].to_list()
        days[0], logins[1], logins[2], customers[3], customers[4] = "23.11.2026", "many", "-4", None, "nobody"
        return frame.with_columns(
            pl.Series("day", days), pl.Series("logins", logins), pl.Series("customer_id", customers)
        )

    _edit(raw, "usage", spoil)
    report = store.etl(raw, tmp_path / "churn", DAY)
    assert report.passed
    aside = pl.read_csv(tmp_path / "churn/quality" / f"{DAY}-usage-set-aside.csv")
    assert sorted(set(aside["reason"])) == [
        "a value does not fit its column's type",
        "customer_id is missing",
        "its customer is unknown",
        "logins is below 0",
    ]
    assert len(aside) == 5


def test_a_missing_column_is_named(raw: Path, tmp_path: Path) -> None:
    _edit(raw, "invoices", lambda frame: frame.drop("due", "paid"))
    with pytest.raises(DataError, match="'invoices' lacks: due, paid"):
        store.etl(raw, tmp_path / "churn", DAY)


def test_a_missing_table_is_named(raw: Path, tmp_path: Path) -> None:
    (raw / "tickets.csv").unlink()
    with pytest.raises(DataError, match="no table 'tickets'"):
        store.etl(raw, tmp_path / "churn", DAY)


def test_a_file_that_is_none_is_told(raw: Path, tmp_path: Path) -> None:
    (raw / "tickets.csv").unlink()
    (raw / "tickets.parquet").write_bytes(b"not parquet")
    with pytest.raises(DataError, match="can't be read"):
        store.etl(raw, tmp_path / "churn", DAY)


def test_a_table_that_shrank_is_noticed(raw: Path, tmp_path: Path) -> None:
    store.etl(raw, tmp_path / "churn", DAY)
    _edit(raw, "tickets", lambda frame: frame.head(len(frame) // 4))
    assert "tickets: row count" in _broken(raw, tmp_path / "churn")


def test_without_tables_the_next_step_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="signalbox churn demo"):
        store.load(tmp_path)


def test_drift_is_measured_by_its_effect_and_not_by_the_sample_s_size() -> None:
    rng = np.random.default_rng(1)
    for size in (500, 200_000):
        same = quality.psi(rng.normal(0, 1, size), rng.normal(0, 1, size))
        moved = quality.psi(rng.normal(0, 1, size), rng.normal(0.8, 1, size))
        assert same < 0.1
        assert moved > 0.25
