"""Examples from a file: JSON Lines or CSV, plain or gzipped: text, label and, for fine labels, category."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.tagging.categories import OUT_OF_SCOPE
from ml.tagging.errors import DataError

OUTSIDE = frozenset({OUT_OF_SCOPE, "oos"})
"""Labels of texts that belong to no category; they set the limit of the model's scope."""


@dataclass(frozen=True)
class Example:
    """`also`: further categories of a text that has more than one."""

    text: str
    label: str
    category: str
    also: tuple[str, ...] = ()

    @property
    def categories(self) -> tuple[str, ...]:
        return (self.category, *self.also)

    @property
    def outside(self) -> bool:
        return self.label in OUTSIDE


@dataclass(frozen=True)
class Names:
    """The labels and categories of a model, and for each label the place of its category.

    `several`: a text may have more than one; labels are categories then.
    """

    labels: tuple[str, ...]
    categories: tuple[str, ...]
    owner: tuple[int, ...]
    several: bool = False

    def flags(self, examples: Sequence[Example]) -> npt.NDArray[np.bool_]:
        """Which categories each example has; shape [examples, categories]."""
        self.numbers(examples)  # refuses what is not known
        rows = [[name in example.categories for name in self.categories] for example in examples]
        return np.array(rows, np.bool_).reshape(len(examples), len(self.categories))

    def numbers(self, examples: Sequence[Example]) -> npt.NDArray[np.int64]:
        """Each example's label as a number; -1 for texts that belong nowhere."""
        place = {label: number for number, label in enumerate(self.labels)}
        if unknown := {name for e in examples if not e.outside for name in (e.label, *e.also)} - place.keys():
            some = ", ".join(sorted(unknown)[:5])
            raise DataError(f"The model does not know the labels {some}. Train it on them.")
        return np.array([-1 if e.outside else place[e.label] for e in examples], np.int64)


@dataclass(frozen=True)
class Parts:
    """`outside` are texts of no category: they teach to be unsure, and set the limit of the scope.

    `unlabelled` are texts of which nobody said what they are.
    """

    train: Sequence[Example]
    valid: Sequence[Example]
    outside: Sequence[Example] = ()
    outside_valid: Sequence[Example] = ()
    unlabelled: Sequence[str] = ()

    def together(self) -> Parts:
        """All of them to learn from, none to judge by."""
        return Parts(
            [*self.train, *self.valid], (), [*self.outside, *self.outside_valid], (), self.unlabelled
        )

    def sha256(self) -> str:
        """Of all that a model learns from."""
        more = [[Example(text, "", "") for text in self.unlabelled]] if self.unlabelled else []
        return sha256(self.train, self.valid, self.outside, self.outside_valid, *more)


def read(file: Path) -> list[Example]:
    return [_example(row, f"{file}, row {number}") for number, row in enumerate(_read(file), 1)]


def texts(file: Path) -> list[str]:
    """Of a file whose labels, if it has any, are not looked at."""
    return [_text(row, f"{file}, row {number}") for number, row in enumerate(_read(file), 1)]


def _text(row: Any, where: str) -> str:
    found = row.get("text") if isinstance(row, dict) else None
    if not isinstance(found, str) or not found:
        raise DataError(f"{where}: needs a text, a non-empty string.")
    return found


def _read(file: Path) -> list[Any]:
    try:
        rows = list(_rows(file))
    except FileNotFoundError as exc:
        raise DataError(f"There is no file {file}. Give a .jsonl or .csv file with text and label.") from exc
    except (UnicodeDecodeError, json.JSONDecodeError, gzip.BadGzipFile, csv.Error) as exc:
        raise DataError(f"{file} can't be read: {exc}. It must be JSON Lines or CSV in UTF-8.") from exc
    if not rows:
        raise DataError(f"{file} holds no examples.")
    return rows


def _rows(file: Path) -> Iterator[Any]:
    packed = file.suffix == ".gz"
    kind = Path(file.stem).suffix if packed else file.suffix
    with gzip.open(file) if packed else file.open("rb") as binary, TextIOWrapper(binary, "utf-8") as stream:
        if kind == ".csv":
            yield from csv.DictReader(stream)
        else:
            yield from (json.loads(line) for line in stream if line.strip())


def _example(row: Any, where: str) -> Example:
    known = row if isinstance(row, dict) else {}
    if known.get("categories"):
        return _of_several(known, where)
    label = known.get("label") or known.get("category")
    category = known.get("category") or known.get("domain") or label
    if not all(isinstance(value, str) and value for value in (known.get("text"), label, category)):
        raise DataError(f"{where}: needs a text and a label (or category), both non-empty strings.")
    return Example(str(known["text"]), str(label), str(category))


def _of_several(row: dict[str, Any], where: str) -> Example:
    """`categories` is a list, or in CSV a text with semicolons."""
    given = row["categories"]
    found = [name.strip() for name in given.split(";")] if isinstance(given, str) else given
    names = list(dict.fromkeys(found)) if isinstance(found, list) else []
    if not names or not all(isinstance(name, str) and name for name in (row.get("text"), *names)):
        raise DataError(f"{where}: needs a text and categories, each a non-empty string.")
    if OUTSIDE & set(names) and len(names) > 1:
        raise DataError(f"{where}: a text that belongs to no category can't have one beside that.")
    return Example(str(row["text"]), names[0], names[0], tuple(names[1:]))


def names(examples: Sequence[Example]) -> Names:
    """Of all that is in scope; a label must belong to one category."""
    homes: dict[str, str] = {}
    for example in examples:
        home = homes.setdefault(example.label, example.category)
        if home != example.category:
            raise DataError(
                f"The label {example.label} belongs to both {home} and {example.category}. Choose one."
            )
    several = any(example.also for example in examples)
    if several and (finer := next((label for label, home in homes.items() if label != home), "")):
        raise DataError(
            f"The label {finer} is finer than its category {homes[finer]}, and some texts have several "
            "categories. Leave out the finer labels, or give each text one category."
        )
    homes |= {name: name for example in examples for name in example.also}
    labels = tuple(sorted(label for label in homes if label not in OUTSIDE))
    categories = tuple(sorted({homes[label] for label in labels}))
    if len(categories) < 2:
        raise DataError("The examples have fewer than two categories: there is nothing to tell apart.")
    return Names(labels, categories, tuple(categories.index(homes[label]) for label in labels), several)


def split(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Training and validation examples; every label with two or more gives some to both."""
    draw, train, valid = np.random.default_rng(seed), [], []
    for label in sorted({example.label for example in examples}):
        own = [example for example in examples if example.label == label]
        held = 0 if len(own) == 1 else max(1, round(share * len(own)))
        order = draw.permutation(len(own)).tolist()
        valid += [own[number] for number in order[:held]]
        train += [own[number] for number in order[held:]]
    return train, valid


def few(examples: Sequence[Example], each: int, seed: int) -> list[Example]:
    """At most so many of each label."""
    draw, kept = np.random.default_rng(seed), []
    for label in sorted({example.label for example in examples}):
        own = [example for example in examples if example.label == label]
        kept += [own[number] for number in draw.permutation(len(own))[:each].tolist()]
    return kept


def sha256(*parts: Sequence[Example]) -> str:
    """Of texts and labels, in order: the same for JSON Lines and CSV."""
    found = hashlib.sha256()
    for part in parts:
        for example in part:
            found.update(json.dumps([example.text, example.label, *example.categories]).encode())
        found.update(b"\n")
    return found.hexdigest()


def fingerprint(examples: Sequence[Example]) -> str:
    """Of the texts alone, in whatever order."""
    texts = "\n".join(sorted(example.text for example in examples))
    return hashlib.sha256(texts.encode()).hexdigest()
