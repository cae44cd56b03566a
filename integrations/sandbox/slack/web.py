"""Slack's HTTP surface: the Web API, uploads, downloads, response URLs and the socket."""

import asyncio
import hmac
import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, quote

from fastapi import APIRouter, Request, Response, WebSocket
from fastapi.responses import JSONResponse, PlainTextResponse

from integrations.sandbox.slack import seed
from integrations.sandbox.slack.call import Call, SlackError, parse_json
from integrations.sandbox.slack.desk import Desk
from integrations.sandbox.slack.faults import Fault, Faults
from integrations.sandbox.slack.files import MAX_BYTES
from integrations.sandbox.slack.methods.table import (
    APP_TOKEN_METHODS,
    CLIENT_METHODS,
    METHODS,
    OPEN_METHODS,
    PERSON_METHODS,
)
from integrations.sandbox.slack.openid import client_credentials
from integrations.sandbox.slack.rates import RateLimiter
from integrations.sandbox.slack.responses import respond

MAX_CALL_BYTES = 4 * 1024 * 1024


class WebApi:
    """Args:
    desks: of each workspace, the home one first.
    """

    def __init__(self, desks: Sequence[Desk], limiter: RateLimiter, faults: Faults) -> None:
        self._desk = desks[0]
        self._desks = {desk.workspace.team.id: desk for desk in desks}
        self._limiter = limiter
        self._faults = faults
        self.router = APIRouter()
        self.router.add_api_route("/api/{method}", self.call, methods=["GET", "POST"])
        self.router.add_api_route("/response/{token}", self.respond, methods=["POST"])
        self.router.add_api_route("/upload/{ticket}", self.upload, methods=["POST"])
        self.router.add_api_route("/files/{file_id}", self.download, methods=["GET"])
        self.router.add_api_websocket_route("/socket", self.socket)

    async def call(self, method: str, request: Request) -> Response:
        fault = self._faults.take(method)
        if fault is not None and (refusal := await _suffer(fault)) is not None:
            return refusal
        try:
            args = await _arguments(request)
            desk = self._authenticate(method, request, args)
            refusal = self._throttle(desk, method, args)
            answer = refusal or self._answer(desk, method, args)
        except SlackError as exc:
            answer = JSONResponse(exc.as_json())
        return await self._faults.answer(fault, answer)

    async def respond(self, token: str, request: Request) -> Response:
        fault = self._faults.take("response_url")
        if fault is not None and (refusal := await _suffer(fault)) is not None:
            return refusal
        desk = next((one for one in self._desks.values() if one.response_urls.knows(token)), self._desk)
        try:
            url = desk.response_urls.use(token)
        except SlackError as exc:
            return JSONResponse(exc.as_json(), status_code=404)
        try:
            respond(desk, url, Call("response_url", await _arguments(request)))
        except SlackError as exc:
            return JSONResponse(exc.as_json(), status_code=400)
        return await self._faults.answer(fault, PlainTextResponse("ok"))

    async def upload(self, ticket: str, request: Request) -> Response:
        try:
            file = self._desk.files.receive(ticket, await _body(request, MAX_BYTES))
        except SlackError as exc:
            return PlainTextResponse(exc.error, status_code=400)
        return PlainTextResponse(f"OK - {file.size}")

    async def download(self, file_id: str, request: Request) -> Response:
        try:
            self._authenticate("files", request, {})
        except SlackError as exc:
            return JSONResponse(exc.as_json(), status_code=401)
        return file_response(self._desk, file_id)

    async def socket(self, websocket: WebSocket) -> None:
        await self._desk.sockets.serve(websocket, websocket.query_params.get("ticket", ""))

    def _answer(self, desk: Desk, method: str, args: dict[str, Any]) -> Response:
        answer = METHODS[method](desk, Call(method, args))
        headers = {"x-oauth-scopes": seed.SCOPES, "x-accepted-oauth-scopes": seed.SCOPES}
        return JSONResponse({"ok": True, **answer}, headers=headers)

    def _authenticate(self, method: str, request: Request, args: dict[str, Any]) -> Desk:
        """The desk of the workspace that the token is for."""
        if method not in METHODS and method != "files":
            raise SlackError("unknown_method", req_method=method)
        if method in CLIENT_METHODS:
            args |= client_credentials(request.headers)
            return self._desk
        header = request.headers.get("authorization", "")
        token = str(args.pop("token", "") or header.removeprefix("Bearer ").strip())
        if method in OPEN_METHODS:
            return self._desk
        if not token:
            raise SlackError("not_authed")
        if method in PERSON_METHODS:
            args["token"] = token
            return self._desk
        return self._desk_of(token, app_level=method in APP_TOKEN_METHODS)

    def _desk_of(self, token: str, *, app_level: bool) -> Desk:
        if (team := self._desk.oauth.tokens.get(token)) and not app_level:
            return self._desks[team]
        is_bot = _same(token, self._desk.options.slack_bot_token.get_secret_value())
        is_app = _same(token, self._desk.options.slack_app_token.get_secret_value())
        if not (is_bot or is_app):
            raise SlackError("invalid_auth")
        if not (is_app if app_level else is_bot):
            raise SlackError("not_allowed_token_type")
        return self._desk

    def _throttle(self, desk: Desk, method: str, args: dict[str, Any]) -> Response | None:
        wait = self._limiter.wait_for(method, str(args.get("channel", "")), desk.workspace.team.id)
        return None if wait == 0 else _too_many(math.ceil(wait))


def file_response(desk: Desk, file_id: str) -> Response:
    """Always a download: what a bot uploaded never runs in the page's origin."""
    try:
        file, content = desk.files.content(file_id)
    except SlackError as exc:
        return JSONResponse(exc.as_json(), status_code=404)
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(file.name)}",
        "x-content-type-options": "nosniff",
    }
    return Response(content, media_type=file.mimetype, headers=headers)


async def _suffer(fault: Fault) -> Response | None:
    """The answer of a fault that replaces the call; None when the call goes ahead."""
    await asyncio.sleep(fault.delay_seconds)
    if fault.status == 429:
        return _too_many(fault.retry_after)
    if fault.status is not None:
        return PlainTextResponse("ordered fault", status_code=fault.status)
    return JSONResponse({"ok": False, "error": fault.error}) if fault.error else None


def _too_many(retry_after: int) -> Response:
    body = {"ok": False, "error": "ratelimited"}
    return JSONResponse(body, status_code=429, headers={"retry-after": str(max(1, retry_after))})


async def _arguments(request: Request) -> dict[str, Any]:
    """Query, form or JSON; a form's values stay strings."""
    args: dict[str, Any] = dict(request.query_params)
    body = await _body(request, MAX_CALL_BYTES)
    if not body:
        return args
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return args | _json_arguments(body)
    if kind == "application/x-www-form-urlencoded":
        try:
            return args | dict(parse_qsl(body.decode(), keep_blank_values=True))
        except UnicodeDecodeError as exc:
            raise SlackError("invalid_form_data") from exc
    raise SlackError("invalid_post_type")


def _json_arguments(body: bytes) -> dict[str, Any]:
    try:
        parsed = parse_json(body)
    except ValueError as exc:
        raise SlackError("invalid_json") from exc
    if not isinstance(parsed, dict):
        raise SlackError("json_not_object")
    return parsed


async def _body(request: Request, most: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise SlackError("request_too_large")
    return bytes(body)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
