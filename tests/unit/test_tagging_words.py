"""Words that spoke for a category, by leaving each out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from ml.tagging.words import MOST_WORDS, words

pytestmark = pytest.mark.unit


def by_words(weights: dict[str, float]):
    """A model that adds up what each word says."""

    def confidence(texts: Sequence[str]) -> list[float]:
        sums = (sum(weights.get(word.lower(), 0.0) for word in text.split()) for text in texts)
        return [1 / (1 + math.exp(-total)) for total in sums]

    return confidence


def test_the_words_that_matter_are_named_in_order() -> None:
    found = words("Please refund my double charge today", by_words({"refund": 2, "charge": 3, "today": -1}))
    assert found == ("charge", "refund")


def test_a_word_is_left_out_wherever_it_stands() -> None:
    seen: list[str] = []

    def confidence(texts: Sequence[str]) -> list[float]:
        seen.extend(texts)
        return [0.5] * len(texts)

    assert words("Refund the REFUND, not the refunding", confidence) == ()
    without = next(text for text in seen[1:] if "refund" not in text.lower().replace("refunding", ""))
    assert "refunding" in without


@pytest.mark.parametrize("text", ["", "🎉🎉", "1 2 3", "!!!"])
def test_where_there_are_no_words_nothing_is_asked(text: str) -> None:
    def never(_: Sequence[str]) -> list[float]:
        raise AssertionError("the model was asked")

    assert words(text, never) == ()


def test_a_long_text_costs_no_more_than_its_first_words() -> None:
    asked: list[int] = []

    def confidence(texts: Sequence[str]) -> list[float]:
        asked.append(len(texts))
        return [0.5] * len(texts)

    words(" ".join(f"word{number}x" for number in range(5000)).replace("0", "zero"), confidence)
    assert asked == [MOST_WORDS + 1]
