"""The page's files, with headers that keep everything but the page's own code from running in it."""

from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

HEADERS = {
    # Pictures may come from anywhere, as in Slack: bots name them by address.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data: http: https:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    # Asked again each time, so that an updated sandbox never runs against an old script.
    "cache-control": "no-cache",
}


class PageFiles(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response
