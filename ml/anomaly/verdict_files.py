"""The Spark engine's verdicts, as it leaves them behind in Parquet files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ml.anomaly.verdict import Verdict


class News(NamedTuple):
    """The newest verdict of each series, how many there were in all, and up to when files were read.

    A file of a batch that was cut off may be among them: the batch is scored again, to the same verdicts.
    """

    latest: dict[str, Verdict]
    samples: int
    until: float


def read(folder: Path, since: float) -> News:
    """Verdicts in files that changed after `since` (seconds since 1970)."""
    from pyarrow import parquet  # noqa: PLC0415  # in the train extra

    latest: dict[str, Verdict] = {}
    count, until = 0, since
    for file, changed in _changed(folder, since):
        for row in parquet.read_table(file).to_pylist():
            count += 1
            known = latest.get(row["series"])
            if known is None or known.at < row["at"]:
                latest[row["series"]] = _verdict(row)
        until = max(until, changed)
    return News(latest, count, until)


def forget(folder: Path, before: float) -> None:
    """Remove files that changed last before then: landed samples or verdicts."""
    for file in folder.glob("*.parquet"):
        if file.stat().st_mtime < before:
            file.unlink()


def _changed(folder: Path, since: float) -> Iterator[tuple[Path, float]]:
    for file in sorted(folder.glob("*.parquet")):
        changed = file.stat().st_mtime
        if changed > since and file.stat().st_size:
            yield file, changed


def _verdict(row: dict[str, Any]) -> Verdict:
    fields: dict[str, Any] = {
        name: math.nan if value is None else value for name, value in row.items() if name != "series"
    }
    return Verdict(counted=True, **fields)
