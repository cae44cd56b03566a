"""Carries envelopes to the bot: deadline, signature, redelivery, and a log of all of it."""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine
from typing import Any

import aiohttp

from integrations.sandbox.changes import Changes
from integrations.sandbox.options import SandboxOptions
from integrations.sandbox.slack import limits, seed
from integrations.sandbox.slack.call import parse_json
from integrations.sandbox.slack.envelope import Envelope, Reply
from integrations.sandbox.slack.signing import signature_headers
from integrations.sandbox.slack.sockets import Sockets

KEPT_DELIVERIES = 200
# An idle connection is dropped before the bot's server would drop it under a request.
KEEPALIVE_S = 2.0


class Courier:
    def __init__(self, options: SandboxOptions, sockets: Sockets, changes: Changes) -> None:
        self._options = options
        self._sockets = sockets
        self._changes = changes
        self._url = options.bot_url.rstrip("/") + "/slack/events"
        self._session: aiohttp.ClientSession | None = None
        self._later: set[asyncio.Task[None]] = set()
        self._url_verified = False
        self._verifying = asyncio.Lock()
        self.deliveries: deque[dict[str, Any]] = deque(maxlen=KEPT_DELIVERIES)

    async def start(self) -> None:
        timeout = aiohttp.ClientTimeout(total=self._options.ack_deadline_s)
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S)
        self._session = aiohttp.ClientSession(timeout=timeout, connector=connector)

    async def stop(self) -> None:
        for task in self._later:
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run beside the request that caused it."""

        async def run() -> None:
            await work

        task = asyncio.create_task(run())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def deliver(self, envelope: Envelope) -> Reply:
        """One attempt, over a socket when a client is connected, else over HTTP."""
        reply = await (self._sockets.send(envelope) if self._sockets.connected else self._post(envelope))
        self._note(envelope, reply)
        return reply

    async def deliver_event(self, envelope: Envelope) -> Reply:
        """The first attempt; redeliveries follow in the background on Slack's schedule."""
        await self._verify_url_once()
        reply = await self.deliver(envelope)
        if _deserves_retry(reply):
            self.spawn(self._redeliver(envelope, reply))
        return reply

    async def _redeliver(self, envelope: Envelope, reply: Reply) -> None:
        for attempt, delay in enumerate(limits.EVENT_RETRY_DELAYS_S, start=1):
            await asyncio.sleep(delay * self._options.retry_scale)
            reply = await self.deliver(envelope.again(attempt, reply.error or "unknown_error"))
            if not _deserves_retry(reply):
                return

    async def _verify_url_once(self) -> None:
        """Slack checks the events URL when it is configured; here before the first event."""
        async with self._verifying:
            if not self._url_verified and not self._sockets.connected:
                await self._verify_url()

    async def _verify_url(self) -> None:
        challenge = f"sandbox-{time.time_ns()}"
        payload = {"token": seed.VERIFICATION_TOKEN, "challenge": challenge, "type": "url_verification"}
        reply = await self.deliver(Envelope("events_api", "url_verification", challenge, payload))
        answer = reply.answer.get("challenge") if isinstance(reply.answer, dict) else reply.answer
        self._url_verified = reply.error is None and answer == challenge

    async def _post(self, envelope: Envelope) -> Reply:
        if self._session is None:
            raise RuntimeError("The courier was asked to deliver before it was started; call start() first.")
        content_type, body = envelope.http_body()
        started = time.monotonic()
        try:
            async with self._session.post(
                self._url,
                data=body,
                headers=self._headers(envelope, content_type, body),
                allow_redirects=False,
            ) as response:
                return _http_reply(started, response, await response.read())
        except (TimeoutError, aiohttp.ClientError) as exc:
            return Reply(status=None, error=_reason(exc), ms=_ms(started), via="http")

    def _headers(self, envelope: Envelope, content_type: str, body: bytes) -> dict[str, str]:
        secret = self._options.slack_signing_secret.get_secret_value()
        headers = {
            "content-type": content_type,
            "user-agent": "Slackbot 1.0 (sandbox)",
            **signature_headers(secret, int(time.time()), body),
        }
        if envelope.attempt:
            headers["x-slack-retry-num"] = str(envelope.attempt)
            headers["x-slack-retry-reason"] = envelope.reason or "unknown_error"
        return headers

    def _note(self, envelope: Envelope, reply: Reply) -> None:
        entry = {
            "kind": envelope.label,
            "id": envelope.ident,
            "attempt": envelope.attempt,
            "status": reply.status,
            "ms": round(reply.ms, 1),
            "error": reply.error,
            "via": reply.via,
            "at": time.time(),
        }
        self.deliveries.appendleft(entry)
        self._changes.publish("slack.delivery", entry | {"kind": "slack.delivery", "label": envelope.label})


def _deserves_retry(reply: Reply) -> bool:
    return reply.error is not None and not reply.no_retry


def _http_reply(started: float, response: aiohttp.ClientResponse, body: bytes) -> Reply:
    accepted = 200 <= response.status < 300
    return Reply(
        status=response.status,
        error=None if accepted else "http_error",
        ms=_ms(started),
        via="http",
        answer=_answer(response.content_type, body),
        no_retry=response.headers.get("x-slack-no-retry") == "1",
    )


def _answer(content_type: str, body: bytes) -> dict[str, Any] | str | None:
    text = body.decode("utf-8", errors="replace").strip()
    if content_type == "application/json" and text:
        try:
            parsed = parse_json(text)
        except ValueError:
            return text
        return parsed if isinstance(parsed, dict) else text
    return text or None


def _reason(exc: Exception) -> str:
    match exc:
        case TimeoutError():
            return "http_timeout"
        case aiohttp.ClientSSLError():
            return "ssl_error"
        case aiohttp.ClientConnectionError():
            return "connection_failed"
        case _:
            return "unknown_error"


def _ms(started: float) -> float:
    return (time.monotonic() - started) * 1000
