"""The model's process, in a thread with a stand-in model that can be held up."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import uvicorn

from plugins.autotag.serving.app import Service, build
from plugins.autotag.serving.model import Model
from tests.conftest import free_port, wait_until


class Gate:
    """A model that tells each text back; it works while the gate is open."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.begun: list[str] = []
        self.fails = False

    def tag(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        self.begun += texts
        assert self.open.wait(20)
        if self.fails:
            raise ValueError("told to fail")
        return [
            {
                "category": "billing", "confidence": 0.9, "band": "apply", "reason": text,
                "scores": {"billing": 0.9}, "note": None, "model_version": "test/1",
            }
            for text in texts
        ]  # fmt: skip

    def loaded(self) -> Future[Model]:
        future: Future[Model] = Future()
        future.set_result(Model("test/1", self.tag))
        return future


@contextmanager
def nlp(loading: Future[Model], max_queue: int = 1000) -> Iterator[str]:
    """The URL of a process that answers with the model to be."""
    port = free_port()
    app = build(Service(loading, max_queue))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started, what="the server")
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)
