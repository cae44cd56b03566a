"""A load generator for loopback: prepared requests over keep-alive connections, one in flight on each.

Requests are built before the clock starts, so the client costs little. `rate` makes it open-loop:
latency then counts from the planned time of sending (no coordinated omission, see Gil Tene's talk
"How NOT to measure latency").
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass
class Load:
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds


def request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.answered: asyncio.Future[int] | None = None
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
        if len(rest) >= length and self.answered is not None:
            self._buffer = rest[length:]
            self.answered.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.answered is not None and not self.answered.done():
            self.answered.set_exception(exc or ConnectionResetError("closed by the server"))

    async def send(self, data: bytes) -> int:
        assert self._transport is not None
        self.answered = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return await self.answered


class Generator:
    """The load generator in a process of its own, so that it shares no interpreter lock with anything."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, where: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def load(self, port: int, requests: Sequence[bytes], connections: int, rate: float | None = None) -> Load:
        return self._pool.submit(_in_child, port, requests, connections, rate).result()


def _in_child(port: int, requests: Sequence[bytes], connections: int, rate: float | None) -> Load:
    return asyncio.run(run(port, requests, connections, rate))


async def run(port: int, requests: Sequence[bytes], connections: int, rate: float | None = None) -> Load:
    load = Load()
    started = time.perf_counter()
    queue = enumerate(requests)
    await asyncio.gather(*(_work(port, queue, load, started, rate) for _ in range(connections)))
    load.seconds = time.perf_counter() - started
    return load


async def _work(
    port: int, queue: Iterator[tuple[int, bytes]], load: Load, started: float, rate: float | None
) -> None:
    loop = asyncio.get_running_loop()
    transport, connection = await loop.create_connection(_Connection, "127.0.0.1", port)
    try:
        for number, data in queue:
            planned = started + number / rate if rate else time.perf_counter()
            await asyncio.sleep(max(0.0, planned - time.perf_counter()))
            status = await connection.send(data)
            load.latencies.append(time.perf_counter() - planned)
            load.statuses[status] = load.statuses.get(status, 0) + 1
    finally:
        transport.close()
