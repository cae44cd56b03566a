"""Series scored as they would have been live: sample after sample, many files side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.anomaly.book import Book, Samples, Scored, scored
from ml.anomaly.labelled import Floats, Labelled
from ml.anomaly.state import Array
from ml.anomaly.verdict import REASONS

Progress = Callable[[str, float], None]
_ROWS = 500


@dataclass(frozen=True)
class Replayed:
    """What was said about each row of a file, [rows]; rows that did not count have a score of 0."""

    score: Floats
    news: Floats
    expected: Floats
    lower: Floats
    upper: Floats
    firing: npt.NDArray[np.bool_]
    reason: npt.NDArray[np.int8]

    def reasons(self) -> list[str]:
        """Why, a word for each row."""
        return [REASONS[number] for number in self.reason]


def replay(
    files: Sequence[Labelled], progress: Progress = lambda _what, _share: None
) -> Mapping[str, Replayed]:
    """Verdicts on all rows of all files, by the files' names."""
    book, longest = Book().with_names([file.name for file in files]), max(len(file.at) for file in files)
    said = _blank(len(files), longest)
    for start in range(0, longest, _ROWS):
        part = {f.name: Samples(f.at[start : start + _ROWS], f.values[start : start + _ROWS]) for f in files}
        part = {name: samples for name, samples in part.items() if len(samples.at)}
        book, heard = scored(book, part)
        for row, each in enumerate(heard, start):
            _note(said, row, each)
        progress("scored", min(1.0, (start + _ROWS) / longest))
    return {
        file.name: Replayed(**{name: field[number, : len(file.at)] for name, field in said.items()})
        for number, file in enumerate(files)
    }


def _blank(files: int, rows: int) -> dict[str, Array]:
    """Fields of `Replayed` by name, [files, rows], as of rows that did not count."""
    shape = (files, rows)
    return {
        "score": np.zeros(shape),
        "news": np.zeros(shape),
        "expected": np.full(shape, np.nan),
        "lower": np.full(shape, np.nan),
        "upper": np.full(shape, np.nan),
        "firing": np.zeros(shape, np.bool_),
        "reason": np.zeros(shape, np.int8),
    }


def _note(said: Mapping[str, Array], row: int, heard: Scored) -> None:
    counted = heard.verdicts.counted
    for name, field in said.items():
        field[heard.rows[counted], row] = getattr(heard.verdicts, name)[counted]
