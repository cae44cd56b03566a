"""Keeps other sites' scripts away from the page's API, which has no login."""

from urllib.parse import urlsplit

from fastapi.responses import PlainTextResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class OwnPageOnly:
    """Refuses `/page/*` unless Host is the sandbox's own (DNS rebinding) and so is Origin (CSRF)."""

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self._app = app
        own = urlsplit(public_url)
        port = f":{own.port}" if own.port else ""
        self._hosts = {own.netloc.lower(), *(name + port for name in LOOPBACK)}
        self._origins = {f"{own.scheme}://{host}" for host in self._hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/page/") and not self._is_own(scope):
            refusal = PlainTextResponse(
                "Refused: this request does not come from the sandbox's own page. Open the page under its "
                "own address, or start the sandbox with --public-url set to the address you use.",
                status_code=403,
            )
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_own(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        return headers.get("host", "").lower() in self._hosts and (
            origin is None or origin.lower() in self._origins
        )
