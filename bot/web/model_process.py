"""Asks a process that holds a model: bytes in, bytes out. This process never loads one.

Only the configured address is asked, no redirect is followed, and no proxy of the environment is used.
"""

from __future__ import annotations

import json

import aiohttp
import structlog
from fastapi import Response

from bot.core.ports import Health
from bot.web.errors import problem

MAX_IN_FLIGHT = 128
HEALTH_SECONDS = 2.0
RETRY = {"Retry-After": "1"}
_PASSED_ON = {"Retry-After"}
_EXPECTED = {200, 400, 413, 422, 503}
log = structlog.get_logger()


class ModelProcess:
    """The connections are opened on first use and kept.

    Args:
        name: of its log lines, e.g. "nlp".
        url: where it listens.
        timeout: seconds in which it should answer.
        hint: what to do when it is away.
    """

    def __init__(self, name: str, url: str, timeout: float, hint: str) -> None:
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._hint = hint
        self._session: aiohttp.ClientSession | None = None
        self._in_flight = 0
        self._log = log.bind(process=name, url=url)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(self, path: str, body: bytes) -> Response:
        """What the process answers; 503 with Retry-After when it does not, or when too many ask at once."""
        if self._in_flight >= MAX_IN_FLIGHT:
            return problem(503, "Busy", "Too many requests are under way; try again in 1 s.", RETRY)
        self._in_flight += 1
        try:
            return await self._ask(path, body)
        except TimeoutError:
            self._log.warning("model_process.slow")
            return problem(503, "Try again", "The model did not answer in time; try again in 1 s.", RETRY)
        except aiohttp.ClientError as exc:
            self._log.warning("model_process.away", error=str(exc))
            return problem(503, "Try again", f"{self._away()} Try again in 1 s.", RETRY)
        finally:
            self._in_flight -= 1

    async def _ask(self, path: str, body: bytes) -> Response:
        try:
            return await self._post(path, body)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            # A kept connection that was being hung up. The process only answers: ask again.
            return await self._post(path, body)

    async def _post(self, path: str, body: bytes) -> Response:
        headers = {"Content-Type": "application/json"}
        async with self._open().post(
            f"{self._url}{path}", data=body, headers=headers, allow_redirects=False
        ) as answer:
            if answer.status not in _EXPECTED:
                self._log.error("model_process.failed", status=answer.status)
                answer.close()  # it is about to hang up: this connection must not be used again
                return problem(
                    502, "Failed", f"The model's process answered {answer.status}; its log has more."
                )
            kept = {name: answer.headers[name] for name in _PASSED_ON if name in answer.headers}
            return Response(await answer.read(), answer.status, kept, answer.content_type)

    async def health(self) -> Health:
        """Degraded when it is away: only its endpoint suffers."""
        limit = aiohttp.ClientTimeout(total=HEALTH_SECONDS)
        try:
            async with self._open().get(
                f"{self._url}/health", timeout=limit, allow_redirects=False
            ) as answer:
                told = json.loads(await answer.read())
        except (TimeoutError, aiohttp.ClientError, ValueError):
            return Health(status="degraded", detail=self._away())
        if told.get("status") != "ok":
            return Health(status="degraded", detail=str(told.get("detail", "")))
        version = told.get("model_version")
        return Health(detail=f"model {version}" if version else "")

    def _away(self) -> str:
        return f"The model's process does not answer: {self._hint}"

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=MAX_IN_FLIGHT)
            self._session = aiohttp.ClientSession(connector=connector, timeout=self._timeout)
        return self._session
