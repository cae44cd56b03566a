"""Reading a stranger's body: limits while it streams, and JSON that is an object or refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect

from bot.core.errors import BadDelivery
from bot.core.events import Hook
from bot.webhooks.body import json_object, read_limited

pytestmark = pytest.mark.unit


class Stream:
    """Remembers how much was asked of it."""

    def __init__(self, parts: list[bytes], *, breaks: bool = False) -> None:
        self.parts = parts
        self.breaks = breaks
        self.read = 0

    async def __call__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            self.read += len(part)
            yield part
        if self.breaks:
            raise ClientDisconnect


async def test_a_body_in_parts_is_joined() -> None:
    assert await read_limited({}, Stream([b"ab", b"", b"c"])(), 3) == b"abc"


async def test_reading_stops_at_the_limit_whatever_the_length_header_says() -> None:
    stream = Stream([b"x" * 10] * 1000)
    with pytest.raises(BadDelivery) as caught:
        await read_limited({"content-length": "1"}, stream(), 25)
    assert caught.value.status == 413
    assert stream.read == 30


async def test_an_announced_excess_is_refused_unread() -> None:
    stream = Stream([b"x"])
    with pytest.raises(BadDelivery) as caught:
        await read_limited({"content-length": "26"}, stream(), 25)
    assert caught.value.status == 413
    assert stream.read == 0


@pytest.mark.parametrize("length", ["", "-1", "many", "²"])
async def test_a_length_that_is_no_number_is_not_believed(length: str) -> None:
    assert await read_limited({"content-length": length}, Stream([b"abc"])(), 3) == b"abc"


async def test_a_sender_that_hangs_up_is_refused() -> None:
    with pytest.raises(BadDelivery, match="hung up after 3 bytes"):
        await read_limited({}, Stream([b"abc"], breaks=True)(), 10)


def test_an_object_is_read() -> None:
    assert json_object(b'{"a": [1, {"b": null}]}') == {"a": [1, {"b": None}]}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"text"', id="a text"),
        pytest.param(b"\xff\xfe\x00", id="no UTF-8"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="deep"),
        pytest.param(b'{"a":' + b"9" * 10_000 + b"}", id="a number too long to read"),
        pytest.param(b'{"a": NaN}', id="no number"),
        pytest.param('{"a": "\\u0000"}'.encode("utf-16"), id="UTF-16, whose escapes nobody would find"),
        pytest.param(b'{"a": "\xff"}', id="a byte of no character"),
    ],
)
def test_anything_else_is_malformed(body: bytes) -> None:
    with pytest.raises(BadDelivery) as caught:
        json_object(body)
    assert caught.value.status == 400


def test_a_byte_order_mark_is_passed_over() -> None:
    assert json_object(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    with suppress(BadDelivery):
        assert isinstance(json_object(body), dict)


def test_half_characters_and_nul_become_replacement_characters() -> None:
    """Found by fuzzing: a handler that wrote such a text down again as JSON failed for good."""
    read = json_object(b'{"\\ud800": ["\\uDFFF a \\u0000", "\\ud83d\\ude00"]}')
    assert read == {"\ufffd": ["\ufffd a \ufffd", "\U0001f600"]}
    assert Hook(name="deploys", data=read).model_dump_json()
