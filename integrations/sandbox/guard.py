"""Keeps other sites' scripts away: the page's API has no login, and the sandbox's tokens are well known."""

from urllib.parse import urlsplit

from fastapi.responses import PlainTextResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class OwnPageOnly:
    """Refuses a foreign Host (DNS rebinding) and an Origin that is not this Host (forged requests).

    Bots and tests send no Origin, so they only have to use the sandbox's own address.
    """

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self._app = app
        self._own = urlsplit(public_url).netloc.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._is_own(Headers(scope=scope)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _refusal(scope, receive, send)

    def _is_own(self, headers: Headers) -> bool:
        host, origin = headers.get("host", "").lower(), headers.get("origin")
        if host != self._own and _name(host) not in LOOPBACK:
            return False
        return origin is None or _netloc(origin) == host


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin.lower()).netloc
    except ValueError:
        return None


_refusal = PlainTextResponse(
    "Refused: this request does not come from the sandbox's own page. Open the page under its own "
    "address, or start the sandbox with --public-url set to the address you use.",
    status_code=403,
)
