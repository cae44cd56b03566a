"""Headers that keep browsers from helping an attacker. Plain ASGI: it costs the hot path nothing."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.web.openapi import PATH

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
_POLICY = "content-security-policy"
_OURS = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_STRICT = (_POLICY.encode(), _OURS.encode())
# Swagger UI sets styles by attributes and draws its signs from data: addresses. No page has a script within.
_OPENAPI = (_POLICY.encode(), f"{_OURS}; style-src 'self' 'unsafe-inline'; img-src 'self' data:".encode())


class SecurityHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = (*_HEADERS, _OPENAPI if scope["path"] == PATH else _STRICT)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        await self._app(scope, receive, send_with_headers)
