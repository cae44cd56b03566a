"""HTTP as uvicorn speaks it, with the bounds that it lacks: a request's head, body and time, an answer's.

Anybody may connect, long before a signature or a token can be looked at: a head without an end, or many large
bodies, must not fill the memory, and who sends a byte a minute, or does not read what was asked for, must not
hold a connection.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD = 64 * 1024
"""Bytes beside the body: request line, headers, trailers. Vendors send less than four."""
FRAMING = 8
"""Bytes that may come with each byte of the body, sent in chunks; it takes at least five."""
MOST_BODIES = 256 * 1024 * 1024
"""Bytes of all bodies that were not answered yet, of a process."""
REQUEST_SECONDS = 60.0
"""In which a request arrives whole, more of an answer is read; after which one connects for nothing."""
# What is no HTTP is answered with 400; with a line for each, strangers would fill the log. Our errors stay.
_LOG = logging.getLogger("uvicorn.error.requests")
_LOG.setLevel(logging.ERROR)
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


_NO_ROOM = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedProtocol(HttpToolsProtocol):
    seconds = REQUEST_SECONDS
    bodies = MOST_BODIES
    held_by_all: ClassVar[int] = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _LOG
        self._beside = 0
        self._body = 0
        self.held = 0
        self.arriving = True
        self._timer: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        self._beside += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._beside > MOST_HEAD + FRAMING * self._body:
            self.hang_up(_TOO_LARGE)
        elif self._timer is None and (self.arriving or self._is_waited_for()):
            self._wait()

    def on_message_begin(self) -> None:
        self._beside = self._body = 0
        self._hold(0)
        self.arriving = True
        if not self.transport.get_write_buffer_size():
            self._stop_watching()
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        self._beside -= min(self._beside, len(body))
        self._body += len(body)
        super().on_body(body)
        if not self.cycle.response_complete:
            self._hold(self.held + len(body))
            if self.held_by_all > self.bodies:
                self._make_room()

    def on_message_complete(self) -> None:
        self.arriving = False
        self._stop_waiting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._hold(0)
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        self._stop_watching()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._stop_watching()
        self._hold(0)
        super().connection_lost(exc)

    def _is_waited_for(self) -> bool:
        """Between requests: uvicorn's own time for it ends with any byte, also with one that begins none."""
        return self.timeout_keep_alive_task is None and self.cycle.response_complete

    def _wait(self) -> None:
        """What does not come in time is cut off; a request that came whole is never waited for here."""
        self._timer = self.loop.call_later(self.seconds, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _make_room(self) -> None:
        """Whose body is the largest of those that are still arriving comes again later."""
        ours = (c for c in self.connections if isinstance(c, BoundedProtocol) and c.arriving)
        max(ours, key=lambda c: c.held).hang_up(_NO_ROOM)

    def _hold(self, size: int) -> None:
        BoundedProtocol.held_by_all += size - self.held
        self.held = size

    def hang_up(self, why: bytes) -> None:
        self._hold(0)
        self.transport.write(why)
        self.transport.close()

    def _watch(self) -> None:
        """As long as some of an answer lies here, some of it has to go each time."""
        left = self.transport.get_write_buffer_size()
        if left and self._unread is None:
            self._unread = self.loop.call_later(self.seconds, self._look, left)

    def _look(self, before: int) -> None:
        self._unread = None
        if self.transport.get_write_buffer_size() < before:
            self._watch()
        else:
            self.transport.abort()

    def _stop_watching(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
