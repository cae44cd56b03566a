"""Errors as problem+json (RFC 9457): a sentence for the caller, the traceback only in the log."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from bot.console.frame import SignInNeeded, error_page, sign_in_page
from bot.core.database import DatabaseRefused
from bot.core.errors import Permanent, Refused, SignalboxError, Transient

log = structlog.get_logger()


def problem(status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    body = {"type": "about:blank", "status": status, "title": title, "detail": detail}
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")


def _told(request: Request, status: int, title: str, detail: str, **headers: str) -> Response:
    """A page for who reads it in a browser, problem+json for programs."""
    reads_pages = "text/html" in request.headers.get("accept", "")
    if reads_pages and not request.url.path.startswith("/api/"):
        return error_page(request, status, title, detail, headers)
    return problem(status, title, detail, headers)


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    status: int
    title: str
    detail: str


_MEANING = {
    400: "The body can't be read.",
    401: "No token, or one that does not hold.",
    403: "The token's scope is too low.",
    404: "There is no such thing.",
    405: "There is no such method here.",
    413: "The body is too large.",
    422: "A parameter is not as described.",
    429: "Too many requests; Retry-After says when to come back.",
    499: "The caller hung up.",
    503: "Not now; Retry-After says when to come back.",
}
_PROBLEM = {"application/problem+json": {"schema": Problem.model_json_schema()}}


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI page: the refusals that a route may answer with."""
    return {status: {"description": _MEANING[status], "content": _PROBLEM} for status in statuses}


def install(app: FastAPI) -> None:
    app.add_exception_handler(SignInNeeded, _sign_in)
    app.add_exception_handler(SignalboxError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _bug)


async def _sign_in(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, SignInNeeded)  # noqa: S101  # Starlette hands over what it was registered for
    return sign_in_page(request, exc)


async def _ours(request: Request, exc: Exception) -> Response:
    if isinstance(exc, DatabaseRefused):
        log.error("request.not_served", path=request.url.path, error=str(exc))
        detail = "The database refuses; the log says why. Try again in 5 s."
        return _told(request, 503, "Try again", detail, **{"Retry-After": "5"})
    if isinstance(exc, Transient):
        return _told(request, 503, "Try again", str(exc), **{"Retry-After": "5"})
    if isinstance(exc, Refused):
        return _told(request, 403, "Refused", str(exc))
    return _told(request, 404 if isinstance(exc, Permanent) else 500, "Not possible", str(exc))


async def _http(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)  # noqa: S101  # Starlette hands over what it was registered for
    return _told(request, exc.status_code, "Request refused", str(exc.detail), **dict(exc.headers or {}))


async def _invalid(_: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, RequestValidationError)  # noqa: S101
    faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors())
    return problem(422, "Invalid request", faults)


async def _bug(request: Request, exc: Exception) -> Response:
    log.error("request.failed", path=request.url.path, exc_info=exc)
    return _told(request, 500, "Internal error", "Something went wrong here; the log has the details.")
