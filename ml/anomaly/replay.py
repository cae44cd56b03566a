"""Series scored as they would have been live: sample after sample, many files side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.anomaly.book import Book, Samples, scored
from ml.anomaly.labelled import Floats, Labelled
from ml.anomaly.verdict import REASONS, Verdict

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
    book, longest = Book(), max(len(file.at) for file in files)
    made = {file.name: _blank(len(file.at)) for file in files}
    for start in range(0, longest, _ROWS):
        part = {f.name: Samples(f.at[start : start + _ROWS], f.values[start : start + _ROWS]) for f in files}
        part = {name: samples for name, samples in part.items() if len(samples.at)}
        book, heard = scored(book, part)
        for row, each in enumerate(heard, start):
            for place, which in enumerate(each.rows):
                _note(made[book.names[which]], row, each.verdicts.row(place))
        progress("scored", min(1.0, (start + _ROWS) / longest))
    return made


def _blank(rows: int) -> Replayed:
    none = np.full(rows, np.nan)
    flags, zeros = np.zeros(rows, np.bool_), np.zeros(rows)
    return Replayed(zeros, zeros.copy(), none, none.copy(), none.copy(), flags, np.zeros(rows, np.int8))


def _note(made: Replayed, row: int, verdict: Verdict) -> None:
    if row >= len(made.score) or not verdict.counted:
        return
    for name in ("score", "news", "expected", "lower", "upper", "firing"):
        getattr(made, name)[row] = getattr(verdict, name)
    made.reason[row] = REASONS.index(verdict.reason)
