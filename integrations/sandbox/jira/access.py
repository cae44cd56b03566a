"""Who calls, and in which shape they get answers: basic authentication, faults, Jira's error bodies."""

import base64
import hmac
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from integrations.sandbox.faults import Fault, Faults, Handler
from integrations.sandbox.jira.edits import Fields
from integrations.sandbox.jira.errors import JiraRefusal
from integrations.sandbox.jira.models import Person
from integrations.sandbox.jira.people import People
from integrations.sandbox.jira.views import Views
from integrations.sandbox.options import SandboxOptions

MOUNT = "/jira"
ANONYMOUS = ("/serverInfo",)

Version = Annotated[Literal["2", "3", "latest"], Path()]


@dataclass(frozen=True)
class Caller:
    person: Person
    views: Views
    fields: Fields
    base: str


class Access:
    def __init__(self, options: SandboxOptions, people: People, faults: Faults) -> None:
        self._email = options.jira_email
        self._token = options.jira_api_token.get_secret_value()
        self._people = people
        self._faults = faults

    async def around(self, request: Request, work: Handler) -> Response:
        """What every REST route runs inside."""
        stranger = self._unauthenticated(request)
        if stranger is not None:
            return stranger
        try:
            return await self._faults.around(request, work, fault_answer)
        except JiraRefusal as refusal:
            return refusal.response()
        except RequestValidationError as exc:
            return JiraRefusal(400, _unreadable(exc)).response()

    def caller(self, request: Request, version: Version) -> Caller:
        base = str(request.base_url).rstrip("/") + MOUNT
        shown = "2" if version == "latest" else version
        views = Views(self._people, base, shown)
        return Caller(self._people.bot, views, Fields(self._people, shown), base)

    def _unauthenticated(self, request: Request) -> Response | None:
        given = request.headers.get("authorization")
        if given is None and request.url.path.endswith(ANONYMOUS):
            return None
        if given is not None and self._is_bot(given):
            return None
        body = {"message": "Client must be authenticated to access this resource.", "status-code": 401}
        reason = "AUTHENTICATED_FAILED" if given else "OUT"
        return JSONResponse(body, status_code=401, headers={"X-Seraph-LoginReason": reason})

    def _is_bot(self, header: str) -> bool:
        scheme, _, encoded = header.partition(" ")
        if scheme.casefold() != "basic":
            return False
        try:
            given = base64.b64decode(encoded, validate=True)
        except ValueError:
            return False
        return hmac.compare_digest(given, f"{self._email}:{self._token}".encode())


def fault_answer(fault: Fault) -> Response:
    status = fault.status or 500
    message = "Rate limit exceeded." if status == 429 else f"The sandbox was told to answer {status}."
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    if status == 429:
        headers |= {"X-RateLimit-Remaining": "0", "RateLimit-Reason": "jira-burst-based"}
    return JSONResponse({"errorMessages": [message], "errors": {}}, status_code=status, headers=headers)


def _unreadable(exc: RequestValidationError) -> str:
    problems = exc.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return "There was an error parsing JSON. Check that your request body is valid."
    where = "; ".join(f"{'.'.join(str(p) for p in e['loc'][1:]) or 'body'}: {e['msg']}" for e in problems)
    return f"The request cannot be read: {where}"
