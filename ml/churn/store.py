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
from ml.churn.etl.extract import Extractor
from ml.churn.etl.lake import Lake
from ml.churn.etl.local import PolarsExtractor
from ml.churn.etl.source import Source
from ml.churn.quality import Report

TABLES, META = "tables", "meta.json"


@dataclass(frozen=True)
class Loaded:
    """Tables that passed the checks: facts up to `as_of`, which is not in them."""

    frames: dict[str, Any]
    as_of: date
    sha256: str


def etl(source: Source | Path, folder: Path, as_of: date, *, master: str = "", full: bool = False) -> Report:
    """Read what is new, check it with what is known, keep it. Data that fails changes nothing but the report.

    With a `master` Spark reads, else Polars; `full` reads what is known anew. Then, and from another source,
    the number of rows has nothing to be compared with.

    Raises:
        DataError: a table is missing or can't be read; there is nothing to report on.
    """
    chosen = Source(f"{source}") if isinstance(source, Path) else source
    lake = Lake(folder)
    before = {} if full else lake.known_of(chosen).rows
    with lake.reading(chosen, as_of, _engine(master), full=full) as staged:
        report = quality.check(staged.raw, as_of, before=before)
        report.write(folder / "quality")
        if report.passed:
            lake.commit(staged)
            _keep(report, staged.raw.sha256, folder)
    return report


def _engine(master: str) -> Extractor:
    if not master:
        return PolarsExtractor()
    from ml.churn.etl.spark import SparkExtractor  # noqa: PLC0415

    return SparkExtractor(master)


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
    making = Path(tempfile.mkdtemp(prefix=f"{TABLES}-", dir=folder))
    reading.write(report.frames, making)
    rows = {name: len(frame) for name, frame in report.frames.items()}
    meta = {"as_of": f"{report.as_of}", "sha256": sha256, "rows": rows}
    (making / META).write_text(json.dumps(meta), encoding="utf-8")
    _point(folder / TABLES, making)
    for old in folder.glob(f"{TABLES}-*/"):
        if old != making:
            shutil.rmtree(old, ignore_errors=True)


def _point(link: Path, place: Path) -> None:
    """Readers see the old tables or the new ones: a link is exchanged in one step."""
    if link.is_dir() and not link.is_symlink():
        # As older versions kept them.
        link.rename(link.with_name(f"{TABLES}-before"))
    made = link.with_name(f"{TABLES}.new")
    made.unlink(missing_ok=True)
    made.symlink_to(place.name, target_is_directory=True)
    made.replace(link)
