"""The states of many series by name, and what new samples make of them: the embedded engine.

A book never changes; scoring makes a new one. States and the times up to which they know the series are one
thing, so a book that is stored whole can be continued anywhere: no sample counts twice and none is left out.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ml.anomaly import state as states
from ml.anomaly.ensemble import WARM_UP, Kinds, update
from ml.anomaly.errors import StateError
from ml.anomaly.state import Array, Floats, Rows, State
from ml.anomaly.verdict import Verdict
from ml.anomaly.verdicts import Verdicts, last, told_elsewhere

AT_ONCE = 4096
"""Series in a block, whose states are kept and updated together: more do not fit a processor's cache."""
_MAGIC = b"signalbox anomaly book 1\n"


@dataclass(frozen=True)
class Samples:
    """New samples of one series: seconds since 1970 and values, [samples], in the order they came."""

    at: Floats
    values: Floats


@dataclass(frozen=True)
class Book:
    """Series' names and their states in blocks. `counter`, `limit` and `warm_up` hold for all of them."""

    names: tuple[str, ...] = ()
    blocks: tuple[State, ...] = ()
    counter: bool = False
    limit: float = float("nan")
    warm_up: int = WARM_UP

    @property
    def state(self) -> State:
        """The states of all series, a row a name."""
        return states.together(list(self.blocks)) if self.blocks else states.empty(0)

    def field(self, name: str) -> Array:
        """One field of all series, [series] or [series, …]."""
        parts = [block[name] for block in self.blocks]
        return np.concatenate(parts) if parts else states.empty(0)[name]

    def known_until(self) -> Mapping[str, float]:
        """Seconds since 1970 of each series' last counted sample."""
        return dict(zip(self.names, self.field("last_at").tolist(), strict=True))

    def latest(self, since: float) -> dict[str, Verdict]:
        """What was said last of each series that has a sample since then, in seconds since 1970."""
        found = {}
        for number, block in enumerate(self.blocks):
            said = last(block)
            for row in np.flatnonzero(said.counted & (said.at >= since)):
                found[self.names[number * AT_ONCE + row]] = said.row(int(row))
        return found

    def with_names(self, names: Sequence[str]) -> Book:
        """The book with these series in it too."""
        known = set(self.names)
        new = tuple(name for name in dict.fromkeys(names) if name not in known)
        if not new:
            return self
        open_block = self.blocks[-1:] if len(self.names) % AT_ONCE else ()
        full = self.blocks[: len(self.blocks) - len(open_block)]
        added = states.together([*open_block, states.empty(len(new))])
        return replace(self, names=self.names + new, blocks=full + _blocks(added))

    def without(self, before: float) -> Book:
        """The book without series of which nothing has come since: labels come and go."""
        stays = self.field("last_at") >= before
        if stays.all():
            return self
        names = tuple(name for name, kept in zip(self.names, stays, strict=True) if kept)
        return replace(self, names=names, blocks=_blocks(self.state.rows(np.flatnonzero(stays))))

    def excused(self, name: str, factor: float) -> Book:
        """The book in which a series needs to be this much further off to be an anomaly."""
        number, row = divmod(self.names.index(name), AT_ONCE)
        block = self.blocks[number]
        tolerance, firing = block["tolerance"].copy(), block["firing_since"].copy()
        tolerance[row] *= factor
        firing[row] = np.nan
        return self.with_blocks({number: block.having({"tolerance": tolerance, "firing_since": firing})})

    def hearing(self, said: Mapping[str, Verdict]) -> Book:
        """The book in which these verdicts of another engine are what was said last.

        That engine knows nothing of what people excused, so a series that was is judged once more here.
        """
        book = self.with_names(list(said))
        changed = {}
        for number, block in enumerate(book.blocks):
            names = book.names[number * AT_ONCE : (number + 1) * AT_ONCE]
            rows = np.array([row for row, name in enumerate(names) if name in said], np.intp)
            if len(rows):
                some = block.rows(rows).having(
                    told_elsewhere([said[names[row]] for row in rows], block, rows)
                )
                changed[number] = block.with_rows(rows, some)
        return book.with_blocks(changed)

    def with_blocks(self, changed: Mapping[int, State]) -> Book:
        """The book in which others stand for some of the blocks."""
        blocks = tuple(changed.get(number, block) for number, block in enumerate(self.blocks))
        return replace(self, blocks=blocks)


def _blocks(state: State) -> tuple[State, ...]:
    return tuple(state.rows(slice(start, start + AT_ONCE)) for start in range(0, len(state), AT_ONCE))


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
    given: list[list[tuple[int, Samples]]] = [[] for _ in book.blocks]
    for row, name in enumerate(book.names):
        each = samples.get(name)
        if each is not None and len(each.at):
            given[row // AT_ONCE].append((row % AT_ONCE, each))
    heard: list[Scored] = []
    changed = {}
    for number, part in enumerate(given):
        if part:
            rows = np.array([row for row, _ in part], np.intp)
            changed[number], said = _of_block(book, book.blocks[number], rows, [each for _, each in part])
            heard += [Scored(rows + number * AT_ONCE, verdicts) for verdicts in said]
    return book.with_blocks(changed), heard


def _of_block(
    book: Book, block: State, rows: Rows, given: Sequence[Samples]
) -> tuple[State, Sequence[Verdicts]]:
    """A block after the new samples of some of its series, which most often are all of them."""
    if len(rows) == len(block):
        return _rounds(book, block, given)
    moved, said = _rounds(book, block.rows(rows), given)
    return block.with_rows(rows, moved), said


def _rounds(book: Book, state: State, given: Sequence[Samples]) -> tuple[State, Sequence[Verdicts]]:
    """The first sample of each series, then the second, …; a series that has no more is NaN."""
    heard = []
    lengths = np.array([len(each.at) for each in given])
    columns = np.repeat(np.arange(len(given)), lengths)
    rows = np.arange(len(columns)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    at, values = np.full((2, lengths.max(), len(given)), np.nan)
    at[rows, columns] = np.concatenate([each.at for each in given])
    values[rows, columns] = np.concatenate([each.values for each in given])
    kinds = Kinds(np.full(len(given), book.counter), np.full(len(given), book.limit), book.warm_up)
    for number in range(len(at)):
        state, verdicts = update(state, at[number], values[number], kinds)
        heard.append(verdicts)
    return state, heard


def to_bytes(book: Book) -> bytes:
    """The book as `from_bytes` reads it."""
    return b"".join(_parts(book))


def _parts(book: Book) -> Iterator[bytes]:
    head = {
        "names": book.names,
        "counter": book.counter,
        "limit": None if np.isnan(book.limit) else book.limit,
        "warm_up": book.warm_up,
    }
    yield _MAGIC + json.dumps(head).encode() + b"\n"
    for block in book.blocks:
        yield block.to_bytes()


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
    state = states.from_bytes(body)
    if len(state) != len(head["names"]):
        raise StateError("The book of states is cut off.")
    limit = float("nan") if head["limit"] is None else float(head["limit"])
    return Book(tuple(head["names"]), _blocks(state), bool(head["counter"]), limit, int(head["warm_up"]))


def write(book: Book, path: Path) -> None:
    """Put the book in the file's place, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, made = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "wb") as file:
        file.writelines(_parts(book))
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
