"""What a person wrote, found in what arrived."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.tagging.clean import MAX_CHARACTERS, clean, has_words

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("", ""),
        (" \n\t ", ""),
        ("<p>I can't <b>log in</b></p><script>steal()</script>", "I can't log in"),
        ("Tom &amp; Jerry", "Tom & Jerry"),
        ("Help!\n> older mail\n> more of it", "Help!"),
        ("Please refund me\n\nOn Monday, support wrote:\n> We received", "Please refund me"),
        ("Please refund me\nBest regards,\nLena", "Please refund me"),
        ("see https://example.com/a?b=c now", "see now"),
        ("{code:java}throw new Error();{code} it fails", "throw new Error(); it fails"),
        ("[the guide|https://example.com] is wrong", "the guide is wrong"),
        ("attached: " + "QUJD" * 40, "attached:"),
        ("zero\u200bwidth\x00 and control\x07", "zero width and control"),
        ("ﬁnally", "finally"),
    ],
)
def test_what_is_left(given_text: str, expected: str) -> None:
    assert clean(given_text) == expected


def test_a_mail_that_is_all_quote_head_keeps_its_words() -> None:
    assert clean("On Monday, Lena wrote:") == "On Monday, Lena wrote:"


def test_a_megabyte_is_cut_before_it_costs_anything() -> None:
    assert len(clean("refund me " * 100_000)) <= MAX_CHARACTERS


@given(st.text(max_size=400))
def test_any_text_becomes_one_clean_line_for_good(text: str) -> None:
    once = clean(text)
    assert once == once.strip()
    assert not any(ch in once for ch in "\n\r\t\x00")


@pytest.mark.parametrize(
    ("text", "expected"), [("😀🎉", False), ("12 34", False), ("ok", True), ("我们", True)]
)
def test_words(text: str, expected: bool) -> None:
    assert has_words(text) is expected


@pytest.mark.timeout(60)
@pytest.mark.parametrize("line", ["\n", " \n", "--\n"])
def test_empty_lines_cost_no_more_than_others(line: str) -> None:
    """Looked at from each line anew, these would take minutes."""
    for _ in range(40):
        clean("a" + line * (MAX_CHARACTERS // len(line)) + "b")
