"""The states of many series by name, and what new samples make of them: the embedded engine.

A book never changes; scoring makes a new one. States and the times up to which they know the series are one
thing, so a book that is stored whole can be continued anywhere: no sample counts twice and none is left out.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ml.anomaly import state as states
from ml.anomaly.ensemble import WARM_UP, Kinds, update
from ml.anomaly.errors import StateError
from ml.anomaly.state import Floats, Rows, State
from ml.anomaly.verdict import Verdict
from ml.anomaly.verdicts import Verdicts

AT_ONCE = 4096
"""Series that are updated together: more do not fit a processor's cache."""
_MAGIC = b"signalbox anomaly book 1\n"


@dataclass(frozen=True)
class Samples:
    """New samples of one series: seconds since 1970 and values, [samples], in the order they came."""

    at: Floats
    values: Floats


@dataclass(frozen=True)
class Book:
    """Series' names and their states, a row each. `counter`, `limit` and `warm_up` hold for all of them."""

    names: tuple[str, ...] = ()
    state: State = field(default_factory=lambda: states.empty(0))
    counter: bool = False
    limit: float = float("nan")
    warm_up: int = WARM_UP

    def known_until(self) -> Mapping[str, float]:
        """Seconds since 1970 of each series' last counted sample."""
        return dict(zip(self.names, self.state["last_at"].tolist(), strict=True))

    def with_names(self, names: Sequence[str]) -> Book:
        """The book with these series in it too."""
        known = set(self.names)
        new = tuple(name for name in dict.fromkeys(names) if name not in known)
        if not new:
            return self
        return self.with_state(self.names + new, states.together([self.state, states.empty(len(new))]))

    def without(self, before: float) -> Book:
        """The book without series of which nothing has come since: labels come and go."""
        kept = np.flatnonzero(self.state["last_at"] >= before)
        return self.with_state(tuple(self.names[n] for n in kept), self.state.rows(kept))

    def excused(self, name: str, factor: float) -> Book:
        """The book in which a series needs to be this much further off to be an anomaly."""
        tolerance = self.state["tolerance"].copy()
        tolerance[self.names.index(name)] *= factor
        firing = self.state["firing_since"].copy()
        firing[self.names.index(name)] = np.nan
        return self.with_state(
            self.names, self.state.having({"tolerance": tolerance, "firing_since": firing})
        )

    def with_state(self, names: tuple[str, ...], state: State) -> Book:
        return Book(names, state, self.counter, self.limit, self.warm_up)


@dataclass(frozen=True)
class Scored:
    """Verdicts on one sample of some of the series; `rows` are their places in the book."""

    rows: Rows
    verdicts: Verdicts

    def each(self, names: Sequence[str]) -> Iterator[tuple[str, Verdict]]:
        for place, row in enumerate(self.rows):
            yield names[row], self.verdicts.row(place)


def scored(book: Book, samples: Mapping[str, Samples]) -> tuple[Book, list[Scored]]:
    """All new samples, each series' in their order: the book after them and a `Scored` a round of samples."""
    book = book.with_names(list(samples))
    place = {name: row for row, name in enumerate(book.names)}
    given = [(place[name], each) for name, each in samples.items() if len(each.at)]
    given.sort(key=lambda pair: pair[0])
    heard: list[Scored] = []
    after: list[tuple[Rows, State]] = []
    for start in range(0, len(given), AT_ONCE):
        part = given[start : start + AT_ONCE]
        rows = np.array([row for row, _ in part], np.intp)
        moved, said = _rounds(book, book.state.rows(rows), rows, [each for _, each in part])
        after.append((rows, moved))
        heard += said
    return book.with_state(book.names, book.state.with_parts(after)), heard


def _rounds(book: Book, state: State, rows: Rows, given: Sequence[Samples]) -> tuple[State, list[Scored]]:
    """The first sample of each series, then the second, …; a series that has no more is NaN."""
    heard = []
    lengths = np.array([len(each.at) for each in given])
    at, values = np.full((2, lengths.max(), len(given)), np.nan)
    for column, each in enumerate(given):
        at[: len(each.at), column], values[: len(each.at), column] = each.at, each.values
    kinds = Kinds(np.full(len(given), book.counter), np.full(len(given), book.limit), book.warm_up)
    for number in range(len(at)):
        state, verdicts = update(state, at[number], values[number], kinds)
        heard.append(Scored(rows, verdicts))
    return state, heard


def to_bytes(book: Book) -> bytes:
    """The book as `from_bytes` reads it."""
    head = {
        "names": book.names,
        "counter": book.counter,
        "limit": None if np.isnan(book.limit) else book.limit,
        "warm_up": book.warm_up,
    }
    return b"".join([_MAGIC, json.dumps(head).encode(), b"\n", *book.state.records()])


def from_bytes(data: bytes) -> Book:
    """The book that `to_bytes` was given.

    Raises:
        StateError: the bytes are damaged or of another version.
    """
    start, _, rest = data.partition(b"\n")
    line, _, body = rest.partition(b"\n")
    if start + b"\n" != _MAGIC:
        raise StateError("This is not a book of states of this version.")
    head = json.loads(line)
    size = len(states.VERSION) + states.FIELDS.itemsize
    if len(body) != size * len(head["names"]):
        raise StateError("The book of states is cut off or of another version.")
    records = [body[start : start + size] for start in range(0, len(body), size)]
    limit = float("nan") if head["limit"] is None else float(head["limit"])
    state = states.from_records(records) if records else states.empty(0)
    return Book(tuple(head["names"]), state, bool(head["counter"]), limit, int(head["warm_up"]))


def write(book: Book, path: Path) -> None:
    """Put the book in the file's place, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, made = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "wb") as file:
        file.write(to_bytes(book))
        file.flush()
        os.fsync(file.fileno())
    Path(made).replace(path)


def read(path: Path) -> Book:
    """The book that was written last; an empty one where there is none.

    Raises:
        StateError: the file is damaged or of another version.
    """
    if not path.exists():
        return Book()
    try:
        return from_bytes(path.read_bytes())
    except StateError as exc:
        raise StateError(f"{path}: {exc} Remove it; it is made anew from the metrics' history.") from exc
