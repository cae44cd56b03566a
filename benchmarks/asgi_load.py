"""Drives an ASGI application in this process, without sockets: prepared requests, a few in flight."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Scope

from benchmarks.report import quantile

Prepared = tuple[bytes, dict[str, str]]


@dataclass(frozen=True)
class Pace:
    per_second: float
    p50: float
    p99: float


async def drive(app: ASGIApp, requests: Sequence[Prepared], in_flight: int = 1) -> Pace:
    """Send them all to /slack/events; an answer that is not 200 ends the benchmark."""
    latencies: list[float] = []
    queue = iter([(_scope(headers), body) for body, headers in requests])
    started = time.perf_counter()
    await asyncio.gather(*(_work(app, queue, latencies) for _ in range(in_flight)))
    seconds = time.perf_counter() - started
    return Pace(len(latencies) / seconds, quantile(latencies, 0.5), quantile(latencies, 0.99))


async def _work(app: ASGIApp, queue: Iterator[tuple[Scope, bytes]], latencies: list[float]) -> None:
    for scope, body in queue:
        started = time.perf_counter()
        status = await _call(app, scope, body)
        latencies.append(time.perf_counter() - started)
        if status != 200:
            raise RuntimeError(f"The application answered {status}; the benchmark would measure nothing.")


async def _call(app: ASGIApp, scope: Scope, body: bytes) -> int:
    status = 0

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]

    await app(scope, receive, send)
    return status


def _scope(headers: dict[str, str]) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/slack/events",
        "raw_path": b"/slack/events",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
    }
