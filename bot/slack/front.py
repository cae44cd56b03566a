"""The Slack front end: verify, let Bolt read, commit, answer. Handlers run in workers.

One middleware of ours takes every request, so Bolt neither scans listeners nor waits in its
acknowledgement loop (docs/decisions/0002).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.core import metrics
from bot.core.errors import BadDelivery, Transient
from bot.core.events import NewEvent
from bot.core.intake import Intake
from bot.core.registry import Registry
from bot.core.settings import SlackSettings
from bot.slack.normalise import Say, normalise
from bot.slack.notices import Notices
from bot.slack.teams import Teams
from bot.webhooks import signatures
from bot.webhooks.body import read_limited
from bot.webhooks.limits import DoorLimits

if TYPE_CHECKING:
    from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

log = structlog.get_logger()
MAX_BODY = 1_000_000
NOT_TAKEN = "Signalbox can't take this right now: nothing was run. Please try again in a minute."
NOT_INSTALLED = (
    "Signalbox is not installed in this workspace, or was removed from it: nothing was run. "
    "Please ask whoever runs Signalbox to install it here."
)
TOO_FAST = "That was more than Signalbox takes from one person: nothing was run. Please wait {seconds} s."
_PRESSED = {"slack.command", "slack.action", "slack.view", "slack.shortcut"}
_ANSWERED_BY_URL = {"block_actions", "message_action"}
"""Whose acknowledgement shows no text."""


class SlackFront:
    """Args:
    intake: built when the process starts to serve, hence a function.
    teams: tells workspaces apart; None: there is one.
    """

    def __init__(
        self,
        settings: SlackSettings,
        registry: Registry,
        intake: Callable[[], Intake],
        clock: Callable[[], datetime],
        limits: DoorLimits | None = None,
        teams: Teams | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._limits = limits
        self._socket: AsyncSocketModeHandler | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._notices = Notices(settings.api_url)
        self._app = AsyncApp(
            process_before_response=True,
            request_verification_enabled=False,  # done before Bolt: its own answers 500 to a bad timestamp
            ignoring_self_events_enabled=False,  # done by normalise, which needs no call to Slack
            attaching_function_token_enabled=False,
            authorize=_authorize,
        )
        self._app.use(_CatchAll(registry, intake, self._notices, limits, teams))

    def routes(self) -> list[Route]:
        return [Route("/slack/events", self._receive, methods=["POST"])]

    async def start(self) -> None:
        """Connect by Socket Mode when an app token is set; Bolt keeps the connection up.

        Not waited for: while Slack is away, the client tries again and HTTP is served all the same.
        """
        if self._settings.app_token is None:
            return
        # Loaded only where it is used: it brings Bolt's synchronous half along.
        from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler  # noqa: PLC0415

        self._socket = AsyncSocketModeHandler(self._app, self._settings.app_token.get_secret_value())
        self._socket.client.web_client.base_url = self._settings.api_url
        self._connecting = asyncio.create_task(self._connect(self._socket))

    async def _connect(self, socket: AsyncSocketModeHandler) -> None:
        await socket.connect_async()  # type: ignore[no-untyped-call]
        log.info("slack.socket_connected")

    async def stop(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):  # we asked for it
                await self._connecting
        if self._socket is not None:
            await self._socket.close_async()  # type: ignore[no-untyped-call]
        await self._notices.close()

    async def _receive(self, request: Request) -> Response:
        headers: dict[str, str] = dict(request.headers)
        with metrics.ACK_SECONDS.labels("slack").time():
            try:
                body = await read_limited(headers, request.stream(), MAX_BODY)
                answer = await self.dispatch(body, headers)
            except BadDelivery as exc:
                metrics.INBOX_RECEIVED.labels("slack", "refused").inc()
                # A flood of forgeries shall not fill the log too.
                if self._limits is None or not self._limits.failures.wait("slack"):
                    log.warning("delivery.refused", source="slack", status=exc.status, error=str(exc))
                return Response("", exc.status)
        kind = answer.headers.get("content-type", ["text/plain"])[0]
        return Response(answer.body, answer.status, media_type=kind)

    async def dispatch(self, body: bytes, headers: Mapping[str, str]) -> BoltResponse:
        """One HTTP request; header names are lower-case. BadDelivery when it is not Slack's."""
        secret = signatures.secret_of(self._settings.signing_secret, "SLACK_SIGNING_SECRET")
        signatures.slack(body, headers, secret, self._clock())
        try:
            request = AsyncBoltRequest(body=body.decode(), headers={k: [v] for k, v in headers.items()})
        except (UnicodeDecodeError, ValueError, RecursionError) as exc:
            raise BadDelivery(f"Slack's body could not be read: {exc}.") from exc
        return await self._app.async_dispatch(request)


class _CatchAll(AsyncMiddleware):
    """Takes every request that Bolt has read, from HTTP or a socket."""

    def __init__(
        self,
        registry: Registry,
        intake: Callable[[], Intake],
        notices: Notices,
        limits: DoorLimits | None,
        teams: Teams | None,
    ) -> None:
        self._teams = teams
        self._limits = limits
        self._registry = registry
        self._intake = intake
        self._notices = notices

    async def async_process(
        self,
        *,
        req: AsyncBoltRequest,
        resp: BoltResponse,  # noqa: ARG002  # Bolt's signature
        next: Callable[[], Awaitable[BoltResponse]],  # noqa: ARG002
    ) -> BoltResponse:
        try:
            team = await self._team(req)
            if isinstance(team, BoltResponse):
                return team
            wanted = normalise(req.body, self._registry, team)
        except Transient as exc:
            return self._not_stored(exc, req.body)
        except BadDelivery as exc:
            log.warning("delivery.refused", source="slack", status=400, error=str(exc))
            return BoltResponse(status=400, body="")
        if isinstance(wanted, Say):
            return self._say(wanted.text, req.body)
        if self._limits and wanted.kind in _PRESSED and (wait := self._limits.person.wait(wanted.actor)):
            metrics.INBOX_RECEIVED.labels("slack", "shed").inc()
            return self._say(TOO_FAST.format(seconds=wait), req.body)
        return await self._store(wanted, req.body)

    async def _team(self, req: AsyncBoltRequest) -> str | BoltResponse:
        """What qualifies the ids of a request, or the answer where nothing else is to be done."""
        named: object = req.context.team_id
        team = named if isinstance(named, str) else ""
        if self._teams is None:
            return ""
        if await self._teams.removed(req.body, team):
            return BoltResponse(status=200, body="")
        prefix = await self._teams.prefix(team)
        if prefix is None:
            metrics.INBOX_RECEIVED.labels("slack", "refused").inc()
            log.warning(
                "delivery.refused", source="slack", status=200, team=team, error="not installed there"
            )
            return self._say(NOT_INSTALLED, req.body)
        return prefix

    async def _store(self, event: NewEvent, body: Mapping[str, Any]) -> BoltResponse:
        try:
            receipt = await self._intake().accept(event)
        except Transient as exc:
            return self._not_stored(exc, body)
        outcome = "duplicate" if receipt.duplicate else "accepted"
        metrics.INBOX_RECEIVED.labels("slack", outcome).inc()
        return BoltResponse(status=200, body="")

    def _not_stored(self, exc: Transient, body: Mapping[str, Any]) -> BoltResponse:
        log.error("delivery.not_stored", source="slack", error=str(exc))
        if body.get("type") == "event_callback":
            return BoltResponse(status=503, body="")  # Slack sends it again
        return self._say(NOT_TAKEN, body)

    def _say(self, text: str, body: Mapping[str, Any]) -> BoltResponse:
        if text and body.get("type") in _ANSWERED_BY_URL:
            self._notices.send(str(body.get("response_url") or ""), text)
            return BoltResponse(status=200, body="")
        return _answer(text, body)


def _answer(text: str, body: Mapping[str, Any]) -> BoltResponse:
    """Say it in the acknowledgement itself, where Slack shows that."""
    if not text or body.get("type") == "event_callback":
        return BoltResponse(status=200, body="")
    if body.get("type") == "view_submission":
        block = next(iter(body["view"].get("state", {}).get("values") or {"": None}))
        errors = {"response_action": "errors", "errors": {block: text}}
        return BoltResponse(status=200, body=errors)
    return BoltResponse(
        status=200, body={"response_type": "ephemeral", "replace_original": False, "text": text}
    )


async def _authorize() -> AuthorizeResult:
    """The front never calls Slack, so it needs no token of the workspace."""
    return AuthorizeResult(enterprise_id=None, team_id=None)
