"""A request has its time and its size: nobody holds a connection with a byte a minute, or fills the memory."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import islice

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bot.web.protocol import MOST_HEAD, BoundedProtocol

pytestmark = pytest.mark.unit
WHOLE = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
ENDLESS = {
    "a line": (b"GET /", b"a" * 65_536),
    "a header": (HEAD + b"X-Long: ", b"a" * 65_536),
    "headers": (HEAD, b"X-Many: 1\r\n" * 6_000),
    "trailers": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Many: 1\r\n" * 6_000),
}
FAR = 16 * 1024 * 1024
"""More than any socket's buffers hold."""


class Hasty(BoundedProtocol):
    seconds = 0.2


class Patient(BoundedProtocol):
    seconds = 100.0


class Small(Patient):
    bodies = 1_000_000


@asynccontextmanager
async def serving(protocol: type[BoundedProtocol]) -> AsyncIterator[int]:
    async def echo(request: Request) -> PlainTextResponse:
        size = len(await request.body())
        return PlainTextResponse(bytes(FAR) if request.url.path == "/far" else str(size))

    app = Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST"])])
    config = uvicorn.Config(app, host="127.0.0.1", port=0, http=protocol, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    served = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await served


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with serving(Hasty) as made:
        yield made


@pytest.mark.parametrize("sent", [b"", b"G", WHOLE[:-1], WHOLE[:40]])
async def test_what_does_not_come_whole_is_hung_up_on(port: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    async with asyncio.timeout(10):
        await _end(reader)
    writer.close()


async def test_a_second_request_has_its_time_too(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(WHOLE)
    assert b"200 OK" in await reader.readuntil(b"\r\n")
    writer.write(WHOLE[:-1])
    async with asyncio.timeout(10):
        await _end(reader)
    writer.close()


async def test_whoever_is_answered_late_is_not_hung_up_on(port: int) -> None:
    """Time counts until the request is there; between requests there are uvicorn's five seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(WHOLE)
        assert b"200 OK" in await reader.readuntil(b"\r\n")
        await reader.readuntil(b"\r\n\r\n2")
        await asyncio.sleep(0.5)
    writer.close()


async def test_an_empty_line_between_requests_does_not_hold_a_connection(port: int) -> None:
    """It stops uvicorn's five seconds and begins no request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(WHOLE)
    await reader.readuntil(b"\r\n\r\n2")
    writer.write(b"\r\n")
    async with asyncio.timeout(3):
        await _end(reader)
    writer.close()


@pytest.mark.parametrize("kept", ["keep-alive", "close"])
async def test_an_answer_that_nobody_reads_is_hung_up_on(port: int, kept: str) -> None:
    narrow = _asks(port, kept)
    await asyncio.sleep(1)
    reader, writer = await asyncio.open_connection(sock=narrow)
    async with asyncio.timeout(3):
        assert len(await _end(reader)) < FAR
    writer.close()


async def test_whoever_reads_slowly_gets_all_of_an_answer(port: int) -> None:
    reader, writer = await asyncio.open_connection(sock=_asks(port, "close"))
    began, read = asyncio.get_running_loop().time(), 0
    async with asyncio.timeout(20):
        while part := await reader.read(FAR // 64):
            read += len(part)
            await asyncio.sleep(0.008)
    assert read > FAR
    assert asyncio.get_running_loop().time() - began > 2 * Hasty.seconds
    writer.close()


@pytest.mark.parametrize("what", ENDLESS)
async def test_a_head_without_an_end_is_cut_off(what: str) -> None:
    begin, more = ENDLESS[what]
    sent = 0
    async with serving(Patient) as port, asyncio.timeout(60):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError):
            writer.write(begin)
            while sent < FAR and not writer.is_closing():
                writer.write(more)
                await writer.drain()
                sent += len(more)
        writer.close()
    assert sent < FAR


async def test_a_head_that_is_too_long_is_told_so() -> None:
    async with serving(Patient) as port, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"X-Long: " + b"a" * (MOST_HEAD + 300_000))
        assert (await reader.readline()).startswith(b"HTTP/1.1 431")
        writer.close()


async def test_a_long_body_in_the_smallest_chunks_is_read() -> None:
    """What stands around each byte of it is longer than a head may be."""
    chunks = b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n"
    async with serving(Patient) as port, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks)
        assert (await reader.read()).endswith(b"100000")
        writer.close()


def _asks(port: int, kept: str) -> socket.socket:
    """For far more than the buffers on its way hold."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.connect(("127.0.0.1", port))
    narrow.sendall(f"GET /far HTTP/1.1\r\nHost: x\r\nConnection: {kept}\r\n\r\n".encode())
    return narrow


async def test_what_is_no_http_is_answered_and_does_not_fill_the_log(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    for sent in (b"\x16\x03\x01\x02\x00\r\n\r\n", b"no such thing\r\n\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        writer.close()
    assert caplog.records == []


async def test_many_large_bodies_make_room_for_small_ones() -> None:
    """Nobody has proved yet who they are; whose body is the largest comes again."""
    begun = HEAD + b"Content-Length: 8000000\r\n\r\n" + bytes(300_000)
    async with serving(Small) as port, asyncio.timeout(30):
        flood = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
        for _, writer in flood:
            writer.write(begun)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(WHOLE)
        assert b"200 OK" in await reader.readuntil(b"\r\n")
        told = [asyncio.create_task(_end(asked)) for asked, _ in flood]
        for answer in islice(asyncio.as_completed(told), 5):
            assert (await answer)[:12] in {b"HTTP/1.1 503", b""}, "told so, or cut off while it sent on"
        assert BoundedProtocol.held_by_all <= Small.bodies
        for answer in told:
            answer.cancel()
        writer.close()
        for _, one in flood:
            one.close()
    assert BoundedProtocol.held_by_all == 0


async def _end(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection's end, polite or not."""
    read = bytearray()
    with suppress(ConnectionError):
        while part := await reader.read(65_536):
            read += part
    return bytes(read)
