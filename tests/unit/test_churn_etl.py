"""Only what is new is read, from files and databases; what is cut off leaves the last good tables."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

pl = pytest.importorskip("polars", reason="polars is not installed; `make train-deps` installs it")

import sqlalchemy as sa  # noqa: E402

from ml.churn import reading, simulate, store  # noqa: E402
from ml.churn.errors import DataError  # noqa: E402
from ml.churn.etl.lake import LAKE, MANIFEST, Lake  # noqa: E402
from ml.churn.etl.source import Source  # noqa: E402
from ml.churn.tables import TABLES  # noqa: E402

pytestmark = pytest.mark.unit
DAY = date(2026, 11, 23)
NEXT = DAY + timedelta(days=7)
WORLD = simulate.tables(120, 40, NEXT, seed=5)


def _until(day: date, name: str) -> Any:
    """A table as the source had it on a day: later rows and later facts are not there yet."""
    table = TABLES[name]
    frame = WORLD[name].filter(pl.col(table.time) < day)
    dates = [column for column in table.known_after if table.columns[column] == "date"]
    return frame.with_columns(
        pl.when(pl.col(dates[0]) < day).then(pl.col(column)) for column in table.known_after if dates
    )


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """One Parquet file a table, as of DAY."""
    folder = tmp_path / "raw"
    reading.write({name: _until(DAY, name) for name in TABLES}, folder)
    return folder


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one[name].sort(t.key).equals(other[name].sort(t.key)) for name, t in TABLES.items())


def _batch_rows(folder: Path, name: str) -> int:
    """Rows of a table in the newest batch."""
    newest = Lake(folder).manifest().batches[-1].name
    files = list((folder / LAKE / newest / name).glob("date=*/*.parquet"))
    return len(pl.read_parquet(files, hive_partitioning=False)) if files else 0


def test_tables_lie_in_folders_of_their_days(raw: Path, tmp_path: Path) -> None:
    store.etl(raw, tmp_path / "churn", DAY)
    [batch] = Lake(tmp_path / "churn").manifest().batches
    usage = tmp_path / "churn" / LAKE / batch.name / "usage"
    days = {f"date={day}" for day in WORLD["usage"]["day"].unique() if day < DAY}
    assert {part.name for part in usage.iterdir()} == days
    for part in usage.iterdir():
        assert {
            f"date={day}" for day in pl.read_parquet(part / "*.parquet", hive_partitioning=False)["day"]
        } == {part.name}


def test_week_by_week_gives_what_reading_it_all_gives(raw: Path, tmp_path: Path) -> None:
    store.etl(raw, tmp_path / "weekly", DAY)
    reading.write({name: _until(NEXT, name) for name in TABLES}, raw)
    assert store.etl(raw, tmp_path / "weekly", NEXT).passed
    assert 0 < _batch_rows(tmp_path / "weekly", "usage") < len(WORLD["usage"]) / 10
    assert 0 < _batch_rows(tmp_path / "weekly", "invoices") < len(WORLD["invoices"]) / 2
    store.etl(raw, tmp_path / "whole", NEXT)
    assert _same(store.load(tmp_path / "weekly").frames, store.load(tmp_path / "whole").frames)


def test_what_is_known_is_not_read_again(raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "churn"
    store.etl(raw, folder, DAY)
    before = store.load(folder).frames["usage"]
    # An old row that changed without a sign of it stays as it was read; --full reads it anew.
    changed = _until(NEXT, "usage").with_columns(
        pl.when(pl.col("day") < DAY - timedelta(days=3)).then(0).otherwise(pl.col("logins")).alias("logins")
    )
    changed.write_parquet(raw / "usage.parquet")
    assert store.etl(raw, folder, NEXT).passed
    after = store.load(folder).frames["usage"]
    assert before.join(after, on=before.columns, how="anti").is_empty()
    assert store.etl(raw, folder, NEXT, full=True).passed
    assert store.load(folder).frames["usage"]["logins"].sum() < before["logins"].sum()
    assert len(Lake(folder).manifest().batches) == 1


def test_files_that_did_not_change_are_not_opened(raw: Path, tmp_path: Path) -> None:
    folder, days = tmp_path / "churn", raw / "usage"
    days.mkdir()
    shutil.move(raw / "usage.parquet", days / "until.parquet")
    store.etl(raw, folder, DAY)
    broken = days / "until.parquet"
    told = broken.stat()
    broken.write_bytes(b"\0" * told.st_size)
    os.utime(broken, ns=(told.st_atime_ns, told.st_mtime_ns))
    late = WORLD["usage"].filter(pl.col("day") >= DAY)
    late.write_csv(days / "late.csv")
    assert store.etl(raw, folder, NEXT).passed
    assert _batch_rows(folder, "usage") == len(late)


def test_a_file_that_comes_late_is_read_whole(raw: Path, tmp_path: Path) -> None:
    folder, days = tmp_path / "churn", raw / "usage"
    days.mkdir()
    (raw / "usage.parquet").unlink()
    gap = DAY - timedelta(days=20)
    usage = _until(DAY, "usage")
    usage.filter(pl.col("day") != gap).write_csv(days / "until.csv")
    store.etl(raw, folder, DAY)
    usage.filter(pl.col("day") == gap).write_csv(days / "gap.csv")
    assert store.etl(raw, folder, DAY).passed
    assert len(store.load(folder).frames["usage"]) == len(usage)


def test_an_empty_day_is_not_taken_for_one_without_events(raw: Path, tmp_path: Path) -> None:
    folder, days = tmp_path / "churn", raw / "usage"
    days.mkdir()
    shutil.move(raw / "usage.parquet", days / "until.parquet")
    store.etl(raw, folder, DAY)
    (days / f"{DAY}.csv").write_text(",".join(TABLES["usage"].columns) + "\n")
    report = store.etl(raw, folder, DAY + timedelta(days=1))
    [check] = report.broken
    assert (check.table, check.name) == ("usage", "empty file")
    assert check.words == f"{DAY}.csv holds no rows."
    assert check.todo == "Export that day anew."
    assert store.load(folder).as_of == DAY
    # The day that was exported anew is read, for the empty one never became known.
    WORLD["usage"].filter(pl.col("day") == DAY).write_csv(days / f"{DAY}.csv")
    assert store.etl(raw, folder, DAY + timedelta(days=1)).passed


def test_a_bad_day_does_not_hide_in_a_good_past(raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "churn"
    store.etl(raw, folder, DAY)
    bad = WORLD["usage"].with_columns(
        pl.when(pl.col("day") >= DAY).then(-1).otherwise(pl.col("logins")).alias("logins")
    )
    bad.write_parquet(raw / "usage.parquet")
    [check] = store.etl(raw, folder, NEXT).broken
    assert (check.table, check.name) == ("usage", "share set aside")
    assert "of the new rows" in check.words


def test_another_source_starts_anew(raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "churn"
    store.etl(raw, folder, DAY)
    shutil.move(raw, tmp_path / "elsewhere")
    assert store.etl(tmp_path / "elsewhere", folder, DAY).passed
    assert len(Lake(folder).manifest().batches) == 1


def test_a_source_of_another_size_is_taken_from_elsewhere_or_in_full(raw: Path, tmp_path: Path) -> None:
    folder, other = tmp_path / "churn", tmp_path / "elsewhere"
    store.etl(raw, folder, DAY)
    shutil.copytree(raw, other)
    few = _until(DAY, "customers").head(52).select("customer_id")
    for name in WORLD:
        _until(DAY, name).join(few, on="customer_id", how="semi").write_parquet(raw / f"{name}.parquet")
    refused = store.etl(raw, folder, DAY)
    assert {check.name for check in refused.broken} == {"row count"}
    assert "`signalbox churn etl --full` takes it" in refused.broken[0].todo
    assert store.etl(raw, folder, DAY, full=True).passed
    assert store.etl(other, folder, DAY).passed


def test_a_customer_whom_the_source_forgot_is_forgotten(raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "churn"
    store.etl(raw, folder, DAY)
    gone = WORLD["customers"]["customer_id"][0]
    WORLD["customers"].filter(pl.col("customer_id") != gone).write_parquet(raw / "customers.parquet")
    assert store.etl(raw, folder, DAY).passed
    for name, frame in store.load(folder).frames.items():
        assert gone not in frame["customer_id"], name


def test_a_damaged_manifest_says_what_to_do(raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "churn"
    store.etl(raw, folder, DAY)
    (folder / LAKE / MANIFEST).write_text("{")
    with pytest.raises(DataError, match="signalbox churn etl --full"):
        store.etl(raw, folder, NEXT)


def test_one_reads_at_a_time(raw: Path, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "churn")
    engine = store._engine("")
    with (
        lake.reading(Source(f"{raw}"), DAY, engine),
        pytest.raises(DataError, match="under way"),
        lake.reading(Source(f"{raw}"), DAY, engine),
    ):
        pytest.fail("two at a time")


def test_a_writer_that_is_killed_leaves_the_last_good_tables(raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "churn"
    store.etl(raw, folder, DAY)
    before = store.load(folder).frames
    reading.write({name: _until(NEXT, name) for name in TABLES}, raw)
    stuck = f"""
from datetime import date
from pathlib import Path
from ml.churn import reading, store
def write(frames, place):
    frames["usage"].write_parquet(place / "usage.parquet")
    print("writing", flush=True)
    time.sleep(120)
reading.write = write
store.etl(Path({str(raw)!r}), Path({str(folder)!r}), date({NEXT.year}, {NEXT.month}, {NEXT.day}))
"""
    writer = subprocess.Popen([sys.executable, "-c", stuck], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "writing\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait(30)
    writer.stdout.close()
    assert _same(store.load(folder).frames, before)
    assert store.load(folder).as_of == DAY
    assert store.etl(raw, folder, NEXT).passed
    store.etl(raw, tmp_path / "whole", NEXT)
    assert _same(store.load(folder).frames, store.load(tmp_path / "whole").frames)
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith("tables")) == [
        "tables",
        (folder / "tables").readlink().name,
    ]


# -- databases ---------------------------------------------------------------------------------------------


def _fill(url: str, day: date) -> None:
    engine = sa.create_engine(url)
    kinds = {"text": sa.String, "date": sa.Date, "number": sa.Float}
    meta = sa.MetaData()
    for name, table in TABLES.items():
        sa.Table(name, meta, *(sa.Column(c, kinds[kind]) for c, kind in table.columns.items()))
    meta.drop_all(engine)
    meta.create_all(engine)
    with engine.begin() as connection:
        for name in TABLES:
            rows = _until(day, name).select(list(TABLES[name].columns)).to_dicts()
            connection.execute(meta.tables[name].insert(), rows)
    engine.dispose()


@pytest.mark.parametrize("address", ["sqlite:///{}", "jdbc:sqlite:{}"])
def test_a_database_is_read_as_files_are(raw: Path, tmp_path: Path, address: str) -> None:
    file = tmp_path / "crm.db"
    _fill(f"sqlite:///{file}", DAY)
    source = Source(address.format(file))
    assert store.etl(source, tmp_path / "churn", DAY).passed
    store.etl(raw, tmp_path / "files", DAY)
    assert _same(store.load(tmp_path / "churn").frames, store.load(tmp_path / "files").frames)
    _fill(f"sqlite:///{file}", NEXT)
    assert store.etl(source, tmp_path / "churn", NEXT).passed
    assert 0 < _batch_rows(tmp_path / "churn", "usage") < len(WORLD["usage"]) / 10


def test_a_database_that_is_away_is_told_without_its_password(tmp_path: Path) -> None:
    source = Source("postgresql://reader:hush@127.0.0.1:9/crm")
    with pytest.raises(DataError, match="Is the database up") as told:
        store.etl(source, tmp_path, DAY)
    assert "hush" not in str(told.value)
    assert not (tmp_path / "tables").exists()


def test_a_database_without_a_column_is_told(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'crm.db'}")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE customers (customer_id TEXT)"))
    engine.dispose()
    with pytest.raises(DataError, match="'customers' lacks: currency"):
        store.etl(Source(f"sqlite:///{tmp_path / 'crm.db'}"), tmp_path / "churn", DAY)


@pytest.mark.parametrize(
    ("address", "here", "jdbc"),
    [
        ("postgresql://db/crm", "postgresql+psycopg://db/crm", "jdbc:postgresql://db/crm"),
        ("jdbc:postgresql://db:5433/crm", "postgresql+psycopg://db:5433/crm", "jdbc:postgresql://db:5433/crm"),
        ("mysql+pymysql://db/crm", "mysql+pymysql://db/crm", "jdbc:mysql://db/crm"),
        ("sqlite:////srv/crm.db", "sqlite:////srv/crm.db", "jdbc:sqlite:/srv/crm.db"),
        ("jdbc:sqlite:/srv/crm.db", "sqlite:////srv/crm.db", "jdbc:sqlite:/srv/crm.db"),
    ],
)  # fmt: skip
def test_both_engines_take_the_same_address(address: str, here: str, jdbc: str) -> None:
    assert (Source(address).url(), Source(address).jdbc_url()) == (here, jdbc)


@pytest.mark.parametrize(
    ("address", "words"),
    [("oracle://db/crm", "known are postgresql"), ("jdbc:derby:/srv/crm", "churn.engine to 'spark'")],
)
def test_an_address_that_can_t_be_read_says_what_to_do(tmp_path: Path, address: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        store.etl(Source(address), tmp_path, DAY)
