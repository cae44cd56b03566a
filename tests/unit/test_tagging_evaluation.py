"""What `tags evaluate` says."""

from __future__ import annotations

from typing import Literal

import pytest

from ml.tagging.errors import DataError
from ml.tagging.evaluation import report
from ml.tagging.tagger import Tagging

pytestmark = pytest.mark.unit


def said(category: str, confidence: float, band: Literal["apply", "suggest", "leave"] = "apply") -> Tagging:
    scores = {"billing": 1 - confidence, "delivery": 1 - confidence, category: confidence}
    return Tagging(category if band != "leave" else None, confidence, band, scores, "")


def test_it_tells_how_often_it_was_right_and_what_it_mistook() -> None:
    found = [
        said("billing", 1.0),
        said("billing", 1.0),
        said("delivery", 0.6, "suggest"),
        said("billing", 0.6),
    ]
    lines = report(found, [("billing",), ("billing",), ("delivery",), ("delivery",)])
    assert lines[0].startswith("best guess right 75.00%")
    assert lines[1] == "applied without asking 75.00%, 66.67% of their tags rightly"
    assert lines[2] == "confidence off by 0.0500 on average (ECE)"
    assert lines[3:] == ["billing: 2 of 2", "delivery: 1 of 2, taken for billing 1"]


def test_what_lies_outside_should_be_left() -> None:
    found = [said("billing", 0.9), said("billing", 0.4, "leave"), said("billing", 0.9)]
    lines = report(found, [("billing",), (), ()])
    assert "2 outside all categories: 1 left to people, 1 tagged without asking" in lines


def test_a_category_that_the_model_does_not_know_is_named() -> None:
    lines = report([said("billing", 0.9), said("billing", 0.9)], [("billing",), ("fraud",)])
    assert lines[-1] == "fraud: the model does not know this category (1 examples)"


def test_a_text_may_have_several_categories() -> None:
    lines = report([said("billing", 0.9)], [("delivery", "billing")])
    assert lines[0].startswith("best guess right 100.00%")
    assert not any("ECE" in line for line in lines)


def test_nothing_to_be_right_about_is_a_sentence() -> None:
    with pytest.raises(DataError, match="No example belongs to a category"):
        report([said("billing", 0.9)], [()])
