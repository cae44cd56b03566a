"""Socket Mode: tickets for a websocket, envelopes out, acknowledgements in, refreshes."""

import asyncio
import contextlib
import itertools
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import structlog
from fastapi import WebSocket, WebSocketDisconnect

from integrations.sandbox.slack import limits, seed
from integrations.sandbox.slack.call import SlackError, parse_json
from integrations.sandbox.slack.envelope import Envelope, Reply

log = structlog.get_logger(__name__)

TICKET_LIFETIME_S = 30.0
CONNECTION_LIFETIME_S = 3600
GRACE_S = 10


@dataclass(eq=False)
class _Connection:
    socket: WebSocket
    waiting: dict[str, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)


class Sockets:
    def __init__(self, public_url: str, deadline_s: float) -> None:
        self._public_url = public_url
        self._deadline_s = deadline_s
        self._tickets: dict[str, float] = {}
        self._connections: list[_Connection] = []
        self._turn = itertools.count()

    @property
    def connected(self) -> int:
        return len(self._connections)

    def open_url(self) -> str:
        """A fresh websocket address; good for one connection within half a minute."""
        if self.connected >= limits.SOCKET_CONNECTIONS:
            raise SlackError("too_many_websockets")
        now = time.monotonic()
        self._tickets = {t: made for t, made in self._tickets.items() if now - made < TICKET_LIFETIME_S}
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = now
        base = self._public_url.rstrip("/").replace("http", "ws", 1)
        return f"{base}/slack/socket?ticket={ticket}&app_id={seed.APP_ID}"

    async def serve(self, socket: WebSocket, ticket: str) -> None:
        made = self._tickets.pop(ticket, None)
        if made is None or time.monotonic() - made > TICKET_LIFETIME_S:
            await socket.close(code=1008, reason="unknown or used ticket; call apps.connections.open again")
            return
        await socket.accept()
        connection = _Connection(socket)
        self._connections.append(connection)
        try:
            await socket.send_json(self._hello())
            await self._listen_until_old(connection)
        except WebSocketDisconnect as exc:
            log.debug("sandbox.socket_closed", code=exc.code)
        except (ValueError, KeyError) as exc:
            log.warning("sandbox.socket_refused_message", reason=str(exc))
            await socket.close(code=1007, reason="an acknowledgement must be a JSON text message")
        finally:
            self._retire(connection)
            for waiting in connection.waiting.values():
                if not waiting.done():
                    waiting.set_exception(ConnectionResetError("the socket client went away"))

    async def send(self, envelope: Envelope) -> Reply:
        """Slack picks any one of the connections; here they take turns."""
        connection = self._connections[next(self._turn) % len(self._connections)]
        envelope_id = secrets.token_hex(16)
        waiting: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        connection.waiting[envelope_id] = waiting
        started = time.monotonic()
        try:
            await connection.socket.send_json(envelope.socket_json(envelope_id))
            ack = await asyncio.wait_for(waiting, self._deadline_s)
        except TimeoutError:
            return _reply(started, error="http_timeout")
        except (WebSocketDisconnect, RuntimeError, ConnectionError):
            return _reply(started, error="connection_failed")
        finally:
            connection.waiting.pop(envelope_id, None)
        return _reply(started, answer=ack.get("payload"))

    async def refresh_all(self) -> int:
        """Ask every client to reconnect, as Slack does every hour or so."""
        asked = list(self._connections)
        for connection in asked:
            await self._ask_to_reconnect(connection)
        return len(asked)

    def _hello(self) -> dict[str, Any]:
        return {
            "type": "hello",
            "num_connections": self.connected,
            "debug_info": {
                "host": "sandbox",
                "build_number": 1,
                "approximate_connection_time": CONNECTION_LIFETIME_S,
            },
            "connection_info": {"app_id": seed.APP_ID},
        }

    async def _listen(self, connection: _Connection) -> None:
        while True:
            ack = parse_json(await connection.socket.receive_text())
            waiting = connection.waiting.get(str(ack.get("envelope_id"))) if isinstance(ack, dict) else None
            if waiting is not None and not waiting.done():
                waiting.set_result(ack)

    async def _listen_until_old(self, connection: _Connection) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONNECTION_LIFETIME_S):
                await self._listen(connection)
        await self._ask_to_reconnect(connection)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await self._listen(connection)

    async def _ask_to_reconnect(self, connection: _Connection) -> None:
        """No new envelopes from here on; acknowledgements still on their way are heard."""
        self._retire(connection)
        await connection.socket.send_json(
            {"type": "disconnect", "reason": "refresh_requested", "debug_info": {"host": "sandbox"}}
        )

    def _retire(self, connection: _Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)


def _reply(started: float, *, error: str | None = None, answer: Any = None) -> Reply:
    elapsed = (time.monotonic() - started) * 1000
    return Reply(status=None if error else 200, error=error, ms=elapsed, via="socket", answer=answer)
