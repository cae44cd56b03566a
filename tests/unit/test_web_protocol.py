"""A request has its time and its size: nobody holds a connection with a byte a minute, or fills the memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

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


@asynccontextmanager
async def serving(protocol: type[BoundedProtocol]) -> AsyncIterator[int]:
    async def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

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


async def _end(reader: asyncio.StreamReader) -> None:
    """The connection's, polite or not."""
    try:
        while await reader.read(4096):
            pass
    except ConnectionError:
        pass
