"""Where the pipeline keeps its files, below one folder: tables, quality reports, models, runs."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ml.churn import quality, reading
from ml.churn.errors import DataError
from ml.churn.quality import Report

TABLES, META = "tables", "meta.json"


@dataclass(frozen=True)
class Loaded:
    """Tables that passed the checks: facts up to `as_of`, which is not in them."""

    frames: dict[str, Any]
    as_of: date
    sha256: str


def etl(source: Path, folder: Path, as_of: date) -> Report:
    """Read, check and keep the raw tables. Data that fails changes nothing but the report.

    Raises:
        DataError: a table is missing or can't be read; there is nothing to report on.
    """
    raw = reading.read(source)
    report = quality.check(raw, as_of, before=_rows_before(folder))
    report.write(folder / "quality")
    if report.passed:
        _keep(report, raw.sha256, folder)
    return report


def load(folder: Path) -> Loaded:
    """Raises DataError when nothing was read in yet."""
    import polars as pl  # noqa: PLC0415  # heavy; not part of the small installation

    place = folder / TABLES
    if not (place / META).exists():
        raise DataError(
            "No tables were read in yet. Run `signalbox churn etl FOLDER` with your tables, or "
            "`signalbox churn demo`."
        )
    meta = json.loads((place / META).read_text(encoding="utf-8"))
    frames = {name: pl.read_parquet(place / f"{name}.parquet") for name in meta["rows"]}
    return Loaded(frames, date.fromisoformat(meta["as_of"]), meta["sha256"])


def _keep(report: Report, sha256: str, folder: Path) -> None:
    """Exchange the kept tables as a whole: an ETL that is cut off leaves the last good ones."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / TABLES
    making = Path(tempfile.mkdtemp(prefix=".tables-", dir=folder))
    reading.write(report.frames, making)
    rows = {name: len(frame) for name, frame in report.frames.items()}
    meta = {"as_of": f"{report.as_of}", "sha256": sha256, "rows": rows}
    (making / META).write_text(json.dumps(meta), encoding="utf-8")
    old = folder / f"{making.name}-old"
    if place.exists():
        place.rename(old)
    making.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def _rows_before(folder: Path) -> dict[str, int]:
    meta = folder / TABLES / META
    found: dict[str, int] = json.loads(meta.read_text(encoding="utf-8"))["rows"] if meta.exists() else {}
    return found
