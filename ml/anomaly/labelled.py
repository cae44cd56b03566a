"""Labelled series for measuring detectors: any folder in the layout of the Numenta Anomaly Benchmark.

`<folder>/combined_windows.json` maps `<group>/<file>.csv` to `[[start, end], …]`; beside it stand the files,
`timestamp,value` by row, plain or gzipped.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ml.anomaly.errors import SeriesError

Floats = npt.NDArray[np.float64]
LABELS = "combined_windows.json"


@dataclass(frozen=True)
class Labelled:
    """One series: seconds since 1970 [rows] as they stand in the file, values [rows], windows of rows.

    A window is (first, last), both inside it.
    """

    name: str
    at: Floats
    values: Floats
    windows: tuple[tuple[int, int], ...] = ()

    @property
    def group(self) -> str:
        return self.name.partition("/")[0]

    @property
    def days(self) -> float:
        return float(self.at.max() - self.at.min()) / 86400

    def inside(self) -> npt.NDArray[np.bool_]:
        """Which rows lie in a window, [rows]."""
        flags = np.zeros(len(self.at), np.bool_)
        for first, last in self.windows:
            flags[first : last + 1] = True
        return flags


def read_samples(path: Path) -> tuple[Floats, Floats]:
    """Seconds since 1970 and values of a `timestamp,value` file; times without a zone are UTC.

    Raises:
        SeriesError: a row is not a time and a number.
    """
    at, values = [], []
    for number, row in enumerate(_rows(path), 2):
        try:
            at.append(_seconds(row["timestamp"]))
            values.append(float(row["value"]))
        except (KeyError, TypeError, ValueError) as exc:
            raise SeriesError(
                f"{path}, line {number} is not a sample. Expected the columns timestamp,value, "
                "e.g. 2026-03-01T10:00:00Z,0.25."
            ) from exc
    if not at:
        raise SeriesError(f"{path} has no samples. Expected the columns timestamp,value and a row a sample.")
    return np.array(at), np.array(values)


def read_folder(folder: Path) -> list[Labelled]:
    """Every series that the folder's labels name, in the labels' order.

    Raises:
        SeriesError: labels or a file are missing or can't be read.
    """
    try:
        labels = json.loads((folder / LABELS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise SeriesError(f"{folder / LABELS} can't be read ({exc}). Expected the layout of NAB.") from exc
    return [_labelled(folder, name, windows) for name, windows in labels.items()]


def _labelled(folder: Path, name: str, windows: Sequence[tuple[str, str]]) -> Labelled:
    plain = folder / name
    at, values = read_samples(plain if plain.exists() else plain.with_name(plain.name + ".gz"))
    return Labelled(name, at, values, tuple(_window(at, _seconds(a), _seconds(b)) for a, b in windows))


def _window(at: Floats, start: float, end: float) -> tuple[int, int]:
    rows = np.flatnonzero((at >= start) & (at <= end))
    return int(rows[0]), int(rows[-1])


def _seconds(text: str) -> float:
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _rows(path: Path) -> Iterator[dict[str, str]]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
    except (OSError, UnicodeDecodeError) as exc:
        raise SeriesError(f"{path} can't be read: {exc}. Give a CSV file of timestamp,value rows.") from exc
