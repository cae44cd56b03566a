"""What callers may send for classification, and what they are told when it is something else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import BadDelivery
from plugins.autotag.serving.asked import MAX_TEXTS, Asked, read

pytestmark = pytest.mark.unit
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_one_text_and_several() -> None:
    assert read(body(text="a")) == Asked(["a"], one=True)
    assert read(body(texts=["a", "b"])) == Asked(["a", "b"], one=False)
    assert len(read(body(texts=["a"] * MAX_TEXTS)).texts) == MAX_TEXTS


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"\xff", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b"[1]", 400, "not an object"),
        (body(), 422, "other fields"),
        (body(text="a", texts=["b"]), 422, "other fields"),
        (body(text="a", model="x"), 422, "other fields"),
        (body(texts="a"), 422, "other fields"),
        (body(texts=[]), 422, "list of texts is empty"),
        (body(text=""), 422, "text is empty"),
        (body(text=" \n\t"), 422, "text is empty"),
        (body(text=None), 422, "text is not a string"),
        (body(texts=["a", ""]), 422, r"texts\[1\] is empty"),
        (body(texts=["a", 1]), 422, r"texts\[1\] is not a string"),
        (body(texts=["a"] * 10_000), 413, "10,000 texts are too many at once; send at most 1,000"),
    ],
)
def test_anything_else_is_refused_with_what_to_send(sent: bytes, status: int, words: str) -> None:
    with pytest.raises(BadDelivery, match=words) as refused:
        read(sent)
    assert refused.value.status == status


@given(st.dictionaries(st.sampled_from(["text", "texts", "other"]), JSON) | JSON)
def test_nothing_but_texts_comes_out(value: Any) -> None:
    try:
        asked = read(json.dumps(value).encode())
    except BadDelivery as exc:
        assert exc.status in {400, 413, 422}  # noqa: PT017  # either outcome is right, no third one
    else:
        assert all(isinstance(text, str) and text.strip() for text in asked.texts)
