"""The Spark engine says what the embedded one says, also when its driver is killed in mid-stream."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.testing import Kit
from ml.anomaly import landing
from ml.anomaly.book import Book, Samples, scored
from ml.spark import SparkUnavailableError, java_home
from plugins.anomaly_watch import AnomalyWatch
from tests.conftest import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
QUERY, LABELS = "latency_seconds", {"service": "checkout"}
CONFIG: dict[str, Any] = {
    "watch": [{"name": "latency", "query": QUERY, "unit": "s"}],
    "step": 60.0,
    "history_days": 1.0,
    "history_step": 300.0,
}
START, STEP, ROWS = 1_767_225_600.0, 300.0, 240


@pytest.fixture(autouse=True, scope="module")
def spark_is_there() -> None:
    if importlib.util.find_spec("pyspark") is None:
        pytest.skip("PySpark is not installed (the train extra).")
    try:
        java_home()
    except SparkUnavailableError as exc:
        pytest.skip(str(exc))


def samples(first: int, last: int) -> dict[str, Samples]:
    at = START + STEP * np.arange(ROWS)
    found = {}
    for number in range(3):
        values = 10 + number + 0.1 * np.random.default_rng(number).normal(size=ROWS)
        values[200 + number : 205] += 30
        found[f"s{number}"] = Samples(at[first:last], values[first:last])
    return found


def start(zone: Path, out: Path, *options: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "ml.anomaly.spark", str(zone), str(out), "--master", "local[2]", *options]
    log = (zone.parent / "spark.log").open("ab")
    with log:
        return subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)


def kill(driver: subprocess.Popen[bytes]) -> None:
    """The driver and its JVM, which are a group of their own."""
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait(20)


def test_a_killed_driver_resumes_and_both_engines_say_the_same(tmp_path: Path) -> None:
    from pyarrow import parquet  # noqa: PLC0415  # skipped where it is not installed

    zone, out = tmp_path / "landing", tmp_path / "verdicts"
    landing.write(zone, samples(0, 100))
    driver = start(zone, out)
    try:
        metadata = out / "_spark_metadata"
        wait_until(lambda: driver.poll() is not None or any(metadata.glob("[0-9]*")), 90, "the first batch")
        assert driver.poll() is None, (tmp_path / "spark.log").read_text()[-3000:]
        landing.write(zone, samples(100, 180))
    finally:
        kill(driver)
    landing.write(zone, samples(175, ROWS))
    second = start(zone, out, "--once")
    assert second.wait(90) == 0, (tmp_path / "spark.log").read_text()[-3000:]

    listed = [
        line
        for file in (out / "_spark_metadata").glob("[0-9]*")
        for line in file.read_text().splitlines()[1:]
    ]
    files = {line.split('"path":"file://')[1].split('"')[0] for line in listed}
    rows = [row for file in files for row in parquet.read_table(file).to_pylist()]
    by_spark = {(row["series"], row["at"]): (row["score"], row["reason"], row["firing"]) for row in rows}
    assert len(rows) == len(by_spark) == 3 * ROWS

    book, heard = scored(Book(), samples(0, ROWS))
    said = {
        (name, v.at): (v.score, v.reason, v.firing) for each in heard for name, v in each.each(book.names)
    }
    assert set(said) == set(by_spark)
    for key, (score, reason, firing) in said.items():
        assert by_spark[key] == (pytest.approx(score, abs=1e-9), reason, firing)
    assert any(firing for _, _, firing in said.values())


def test_what_spark_says_is_exported_and_told(tmp_path: Path) -> None:
    """Collector → landing zone → Spark → the figures that Prometheus reads, as the embedded engine has them."""
    said = {}
    for engine in ("embedded", "spark"):
        data = tmp_path / engine
        config = {**CONFIG, "engine": engine}
        with Kit(
            AnomalyWatch,
            config=config,
            settings={"data_dir": data, "pushgateway": {"url": "http://gateway.example"}},
        ) as kit:
            _usual_day(kit)
            kit.tick("collect")
            kit.advance(minutes=2)
            for minute in (1, 0):
                kit.metrics.set(QUERY, 4.2, LABELS, at=kit.clock() - timedelta(minutes=minute))
            kit.tick("collect")
            if engine == "spark":
                assert "says nothing about new samples of latency" in kit.health().detail
                _score(data / "anomaly")
                kit.advance(seconds=10)
                kit.tick("collect")
                assert kit.health().status == "ok"
            pushed = kit.gateway.jobs["signalbox-anomalies"]
            said[engine] = {each.name.removeprefix("signalbox_anomaly_"): each.value for each in pushed}
            [row] = _row(kit)["rows"]
            assert "4.2" in row["reason"]
    assert said["spark"] == pytest.approx(said["embedded"], abs=1e-9)
    assert said["spark"]["firing"] == 1


def _usual_day(kit: Kit) -> None:
    for minute, value in enumerate(0.4 + 0.02 * np.random.default_rng(1).normal(size=1600)):
        kit.metrics.set(QUERY, float(value), LABELS, at=kit.clock() - timedelta(minutes=1599 - minute))


def _score(folder: Path) -> None:
    ran = start(folder / "landing" / "latency", folder / "verdicts" / "latency", "--once")
    log = folder / "landing" / "spark.log"
    try:
        assert ran.wait(90) == 0, log.read_text()[-3000:]
    finally:
        if ran.poll() is None:
            kill(ran)


def _row(kit: Kit) -> dict[str, Any]:
    found = kit.document("firing:latency")
    assert found is not None
    return found.data
