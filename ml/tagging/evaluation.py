"""How a model does on labelled texts, in lines to read. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ml.tagging import metrics
from ml.tagging.errors import DataError
from ml.tagging.tagger import Tagging

Categories = tuple[str, ...]
"""What a text belongs to; empty: to no category."""


@dataclass(frozen=True)
class Judged:
    """What was said about a text, and what was right."""

    said: Tagging
    right: Categories

    @property
    def best(self) -> str:
        """The likeliest category, whatever the band; empty where there was nothing to judge."""
        scores = self.said.scores
        return max(scores, key=scores.__getitem__) if any(scores.values()) else ""

    @property
    def hit(self) -> bool:
        return self.best in self.right


def report(found: Sequence[Tagging], right: Sequence[Categories]) -> list[str]:
    """Raises:
    DataError: no text belongs to a category.
    """
    judged = [Judged(said, wanted) for said, wanted in zip(found, right, strict=True)]
    inside = [one for one in judged if one.right]
    if not inside:
        raise DataError("No example belongs to a category, so there is nothing to be right about.")
    return [*_overall(inside), *_outside([one for one in judged if not one.right]), *_by_category(inside)]


def _overall(inside: Sequence[Judged]) -> Iterator[str]:
    hits = np.array([one.hit for one in inside])
    low, high = metrics.interval(hits)
    yield f"best guess right {hits.mean():.2%} (95 % interval {low:.2%} to {high:.2%})"
    applied = [one for one in inside if one.said.band == "apply"]
    tags = [name in one.right for one in applied for name in (one.said.category, *one.said.also)]
    rightly = f", {sum(tags) / len(tags):.2%} of their tags rightly" if tags else ""
    yield f"applied without asking {len(applied) / len(inside):.2%}{rightly}"
    if all(len(one.right) == 1 for one in inside):
        yield f"confidence off by {_calibration(inside):.4f} on average (ECE)"


def _calibration(inside: Sequence[Judged]) -> float:
    """Of the confidence that is shown; a text that could not be judged has none."""
    confidence = np.array([[one.said.confidence] for one in inside], np.float32)
    # With one column, the label 0 says that the guess was right.
    return metrics.ece(confidence, np.array([0 if one.hit else 1 for one in inside], np.int64))


def _outside(outside: Sequence[Judged]) -> Iterator[str]:
    if outside:
        left = sum(one.said.band == "leave" for one in outside)
        tagged = sum(one.said.band == "apply" for one in outside)
        yield f"{len(outside)} outside all categories: {left} left to people, {tagged} tagged without asking"


def _by_category(inside: Sequence[Judged]) -> Iterator[str]:
    for name in sorted({name for one in inside for name in one.right}):
        of_it = [one for one in inside if name in one.right]
        taken = Counter(one.best for one in of_it if not one.hit)
        mistaken = ", ".join(f"{other or 'unreadable'} {times}" for other, times in taken.most_common(3))
        known = all(name in one.said.scores for one in of_it)
        note = f", taken for {mistaken}" if mistaken else ""
        yield (
            f"{name}: {sum(one.hit for one in of_it)} of {len(of_it)}{note}"
            if known
            else f"{name}: the model does not know this category ({len(of_it)} examples)"
        )
