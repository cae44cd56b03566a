"""Spark reads what Polars reads: files and databases, only what is new, and a driver that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

for package in ("polars", "pyspark"):
    pytest.importorskip(package, reason=f"{package} is not installed; `make train-deps` installs it")

import polars as pl  # noqa: E402
import polars.testing  # noqa: E402

from ml.churn import reading, simulate, store  # noqa: E402
from ml.churn.errors import DataError  # noqa: E402
from ml.churn.etl.lake import LAKE, Lake  # noqa: E402
from ml.churn.etl.source import Source  # noqa: E402
from ml.churn.features import local  # noqa: E402
from ml.churn.tables import TABLES  # noqa: E402
from ml.spark import SparkUnavailableError, java_home, session  # noqa: E402

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
DAY = date(2026, 11, 23)
NEXT = DAY + timedelta(days=7)
WORLD = simulate.tables(80, 20, NEXT, seed=5)
CONF = {"spark.sql.shuffle.partitions": "2", "spark.default.parallelism": "2"}
MASTER = "local[2]"


@pytest.fixture(scope="module", autouse=True)
def spark() -> Iterator[Any]:
    try:
        java_home()
    except SparkUnavailableError as exc:
        pytest.skip(str(exc))
    running = session(MASTER, "test", CONF)
    # Derby would leave its log in the folder that the tests are started from.
    running._jvm.java.lang.System.setProperty("derby.stream.error.file", os.devnull)
    yield running
    running.stop()


def _until(day: date, name: str) -> Any:
    """A table as the source had it on a day: later rows and later facts are not there yet."""
    table = TABLES[name]
    frame = WORLD[name].filter(pl.col(table.time) < day)
    dates = [column for column in table.known_after if table.columns[column] == "date"]
    return frame.with_columns(
        pl.when(pl.col(dates[0]) < day).then(pl.col(column)) for column in table.known_after if dates
    )


def _export(day: date, folder: Path) -> Path:
    """CSV, as somebody would export it, with some rows that are none."""
    folder.mkdir(exist_ok=True)
    for name in TABLES:
        _until(day, name).cast(pl.String).write_csv(folder / f"{name}.csv")
    usage = pl.read_csv(folder / "usage.csv", infer_schema=False)
    days, logins = usage["day"].to_list(), usage["logins"].to_list()
    days[0], logins[1], logins[2], logins[3] = "23.11.2026", "5d", "NaN", " 7 "
    usage.with_columns(pl.Series("day", days), pl.Series("logins", logins)).write_csv(folder / "usage.csv")
    return folder


def _same(one: Path, other: Path) -> None:
    here, there = store.load(one).frames, store.load(other).frames
    for name, table in TABLES.items():
        assert here[name].sort(table.key).equals(there[name].sort(table.key)), name


def _new(folder: Path, name: str) -> int:
    newest = Lake(folder).manifest().batches[-1].name
    files = list((folder / LAKE / newest / name).glob("date=*/*.parquet"))
    return len(pl.read_parquet(files, hive_partitioning=False))


def test_files_give_what_polars_reads_of_them(tmp_path: Path) -> None:
    there, here = tmp_path / "spark", tmp_path / "polars"
    for day in (DAY, NEXT):
        raw = _export(day, tmp_path / "raw")
        for folder, master in ((there, MASTER), (here, "")):
            report = store.etl(raw, folder, day, master=master)
            assert report.passed, report.broken
            assert len(report.quarantine["usage"]) == 3
        _same(there, here)
    assert _new(there, "usage") == _new(here, "usage") < len(WORLD["usage"]) / 5
    assert [batch.engine for batch in Lake(there).manifest().batches] == ["spark", "spark"]
    usage = there / LAKE / Lake(there).manifest().batches[0].name / "usage"
    assert {path.name for path in usage.glob("date=*")} == {
        f"date={day}" for day in store.load(here).frames["usage"]["day"].unique() if day < DAY
    }


def _fill(spark: Any, url: str, day: date) -> None:
    for name in TABLES:
        frame = spark.createDataFrame(_until(day, name).select(list(TABLES[name].columns)).to_arrow())
        writer = frame.write.format("jdbc").option("url", f"{url};create=true").option("dbtable", name)
        writer.option("driver", "org.apache.derby.jdbc.EmbeddedDriver").mode("overwrite").save()


def test_a_database_is_read_by_jdbc(spark: Any, tmp_path: Path) -> None:
    source = Source(f"jdbc:derby:{tmp_path / 'crm'}")
    for day in (DAY, NEXT):
        _fill(spark, source.address, day)
        reading.write({name: _until(day, name) for name in TABLES}, tmp_path / "raw")
        assert store.etl(source, tmp_path / "jdbc", day, master=MASTER).passed
        assert store.etl(tmp_path / "raw", tmp_path / "files", day).passed
        _same(tmp_path / "jdbc", tmp_path / "files")
    assert _new(tmp_path / "jdbc", "usage") == _new(tmp_path / "files", "usage")


def test_a_driver_that_is_not_there_says_where_it_goes(tmp_path: Path) -> None:
    source = Source("postgresql://reader:hush@127.0.0.1:9/crm")
    with pytest.raises(DataError, match=r"org\.postgresql\.Driver .* churn\.jdbc_jars") as told:
        store.etl(source, tmp_path, DAY, master=MASTER)
    assert "hush" not in str(told.value)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    raw = _export(DAY, tmp_path / "raw")
    pl.read_csv(raw / "invoices.csv").drop("due").write_csv(raw / "invoices.csv")
    with pytest.raises(DataError, match="'invoices' lacks: due"):
        store.etl(raw, tmp_path / "churn", DAY, master=MASTER)


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    raw = _export(DAY, tmp_path / "raw")
    (raw / "tickets.csv").unlink()
    (raw / "tickets.parquet").write_bytes(b"not parquet")
    with pytest.raises(DataError, match="could not read the table 'tickets'"):
        store.etl(raw, tmp_path / "churn", DAY, master=MASTER)


def test_a_driver_that_is_killed_in_mid_write_leaves_the_last_good_tables(tmp_path: Path) -> None:
    raw, folder = _export(DAY, tmp_path / "raw"), tmp_path / "churn"
    assert store.etl(raw, folder, DAY, master=MASTER).passed
    _export(NEXT, raw)
    killed = f"""
from datetime import date
from pathlib import Path
from ml.churn import store
from ml.churn.etl import spark
write = spark._write
def stuck(parts, request, out):
    if request.table.name == "invoices":
        print("writing", flush=True)
    return write(parts, request, out)
spark._write = stuck
store.etl(Path({str(raw)!r}), Path({str(folder)!r}), date({NEXT.year}, {NEXT.month}, {NEXT.day}), master="local[1]")
"""
    driver = subprocess.Popen(
        [sys.executable, "-c", killed],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert driver.stdout is not None
    assert "writing\n" in iter(driver.stdout.readline, "")
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait(60)
    driver.stdout.close()
    assert store.load(folder).as_of == DAY
    assert [path.name[:9] for path in (folder / LAKE).glob(".staging-*")] == [".staging-"]
    assert store.etl(raw, folder, NEXT, master=MASTER).passed
    assert not list((folder / LAKE).glob(".staging-*"))
    assert store.etl(raw, tmp_path / "whole", NEXT).passed
    _same(folder, tmp_path / "whole")


CONNECTED = """
import sys
from datetime import date
from pathlib import Path
from ml.churn import store
from ml.churn.features import engine
folder = Path(sys.argv[2])
assert store.etl(Path(sys.argv[1]), folder, date.fromisoformat(sys.argv[3]), master="local[*]").passed
engine.features(store.load(folder), folder, "local[*]").write_parquet(folder / "features.parquet")
from pyspark.sql import SparkSession
print(type(SparkSession.getActiveSession()).__module__)
"""


def test_spark_connect_is_a_matter_of_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same code, with SPARK_REMOTE: Spark then starts a Connect server of its own for a client."""
    pytest.importorskip(
        "grpc", reason="Spark Connect's client is not installed: pip install 'pyspark[connect]'"
    )
    raw, folder = _export(DAY, tmp_path / "raw"), tmp_path / "churn"
    monkeypatch.setenv("SPARK_REMOTE", "local[2]")
    done = subprocess.run(
        [sys.executable, "-c", CONNECTED, str(raw), str(folder), str(DAY)],
        check=False, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "pyspark.sql.connect.session"
    assert store.etl(raw, tmp_path / "here", DAY).passed
    _same(folder, tmp_path / "here")
    here = local.features(store.load(folder).frames, DAY)
    there = pl.read_parquet(folder / "features.parquet")
    pl.testing.assert_frame_equal(there, here, check_column_order=False)
