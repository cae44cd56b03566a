"""The whole product as a user starts it: `signalbox up` with the sandbox."""

from __future__ import annotations

import json
import queue
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.processes import free_port, python, running, wait_until


class Product:
    def __init__(self, data: Path) -> None:
        self.data = data
        self.port, self.sandbox_port = free_port(), free_port()
        self.http = httpx2.Client(timeout=10)

    @contextmanager
    def up(self, env: Mapping[str, str]) -> Iterator[Product]:
        folder = self.data.parent
        argv = [
            "-m", "bot", "up", "--port", str(self.port), "--sandbox-port", str(self.sandbox_port),
            "--data", str(self.data),
        ]  # fmt: skip
        with running(python(*argv), folder, env, signal.SIGINT) as process:
            wait_until(lambda: process.poll() is not None or self._is_ready(folder), "`ready:`")
            if process.poll() is not None:
                raise RuntimeError(f"`signalbox up` ended early: {self._output(folder)[-2000:]}")
            yield self

    def _output(self, folder: Path) -> str:
        return (folder / f"{self.data.name}.log").read_text()

    def _is_ready(self, folder: Path) -> bool:
        return f"ready: http://127.0.0.1:{self.port}" in self._output(folder)

    def say(self, user: str, text: str, channel: str) -> None:
        body = {"user": user, "channel": channel, "text": text}
        url = f"http://127.0.0.1:{self.sandbox_port}/page/slack/say"
        self.http.post(url, json=body).raise_for_status()

    @contextmanager
    def watched(self) -> Iterator[queue.Queue[tuple[float, dict[str, Any]]]]:
        """What changes on the sandbox's page, as its event stream tells it, with the time of arrival."""
        seen: queue.Queue[tuple[float, dict[str, Any]]] = queue.Queue()
        url = f"http://127.0.0.1:{self.sandbox_port}/page/stream"
        threading.Thread(target=_follow, args=(url, seen), daemon=True).start()
        if seen.get(timeout=10)[1]["kind"] != "hello":
            raise RuntimeError("The sandbox's event stream did not greet.")
        yield seen


def _follow(url: str, seen: queue.Queue[tuple[float, dict[str, Any]]]) -> None:
    """Until the sandbox closes the stream."""
    try:
        with httpx2.stream("GET", url, timeout=None) as response:  # as long as the benchmark
            for line in response.iter_lines():
                if line.startswith("data:"):
                    seen.put((time.perf_counter(), json.loads(line.removeprefix("data:"))))
    except httpx2.TransportError:
        return  # the sandbox was stopped
