"""Atlassian's document format to text and back."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.jira import adf

pytestmark = pytest.mark.unit


def doc(*content: Any) -> dict[str, Any]:
    return {"type": "doc", "version": 1, "content": list(content)}


def node(kind: str, *content: Any, **attrs: Any) -> dict[str, Any]:
    return {"type": kind, "content": list(content), "attrs": attrs}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (None, ""),
        ("plain *text*", "plain *text*"),
        (doc(), ""),
        (doc(node("paragraph", text("one"), {"type": "hardBreak"}, text("two"))), "one\ntwo"),
        (doc(node("heading", text("Title"), level=1), node("paragraph", text("body"))), "Title\nbody"),
        (
            doc(node("bulletList", node("listItem", node("paragraph", text("a"))), node("listItem", node("paragraph", text("b"))))),
            "a\nb",
        ),
        (doc(node("paragraph", text("ask "), node("mention", text="@Mia", id="1"))), "ask @Mia"),
        (doc(node("codeBlock", text("x = 1\ny = 2"), language="python")), "x = 1\ny = 2"),
        (doc(node("paragraph", node("emoji", shortName=":+1:"), node("inlineCard", url="https://a.example"))), ":+1:https://a.example"),
        (doc(node("table", node("tableRow", node("tableCell", node("paragraph", text("cell")))))), "cell"),
        (doc(node("something new", node("paragraph", text("kept")))), "kept"),
    ],
)  # fmt: skip
def test_words_survive_and_blocks_become_lines(document: Any, expected: str) -> None:
    assert adf.to_text(document) == expected


@pytest.mark.parametrize(
    "value", [7, [], ["x"], {"type": "doc", "content": 7}, {"content": [None, "x", 3]}, {"type": ["doc"]}]
)
def test_what_is_no_document_has_no_words(value: Any) -> None:
    assert adf.to_text(value) == ""


@given(st.text(string.printable.replace("\r", ""), max_size=80))
def test_text_makes_the_round_trip(words: str) -> None:
    assert adf.to_text(adf.from_text(words)) == words.strip()


def test_empty_lines_are_empty_paragraphs_because_jira_refuses_empty_texts() -> None:
    assert adf.from_text("a\n\nb")["content"][1] == {"type": "paragraph", "content": []}


def test_markup_in_the_text_stays_text() -> None:
    written = adf.from_text("[~accountid:1] *bold* <script>")
    assert written["content"] == [{"type": "paragraph", "content": [text("[~accountid:1] *bold* <script>")]}]


def test_a_bottomless_document_ends() -> None:
    document: Any = text("deep")
    for _ in range(5000):
        document = {"type": "paragraph", "content": [document]}
    assert adf.to_text(document) == ""
