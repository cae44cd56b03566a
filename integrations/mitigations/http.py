"""Mitigation by a signed request to a service of one's own.

What is signed is `v1:TIMESTAMP:METHOD:TARGET:BODY` with HMAC-SHA256, TARGET being path and query as sent. The
receiver checks X-Signalbox-Signature (`v1=<hex>`), refuses timestamps that are minutes old, and acts once for
each Idempotency-Key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import httpx2
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from bot.core.errors import Permanent, Refused, Transient
from bot.core.executors import Outcome, Parameters, Plan, Progress
from bot.core.integration import Services
from bot.core.settings import HttpExecutor
from integrations.mitigations.output import Masker

MOST_BYTES = 64 * 1024
Url = Annotated[str, Field(pattern=r"^https?://[^\s\\@#]+$", max_length=2000)]


class Call(BaseModel):
    """One request; the body is sent as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    url: Url
    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST"
    body: Mapping[str, JsonValue] | None = None


class HttpParameters(Parameters, Call):
    """`status_url` tells what became of a run ({"state": "running", "detail": "…"}); {key} stands for its
    key. `target` is what is acted on, unless the address says it all. `undo` is the request that restores.
    """

    target: str = ""
    status_url: Url | None = None
    undo: Call | None = None

    @model_validator(mode="after")
    def _stays_below_its_path(self) -> Self:
        for url in self.urls:
            if ".." in url.replace("%2e", ".").replace("%2E", "."):
                raise ValueError("an address must not contain '..'")
        return self

    @property
    def urls(self) -> list[str]:
        """All that may be called."""
        undo = self.undo.url if self.undo else None
        return [url for url in (self.url, self.status_url, undo) if url]


class _Told(BaseModel):
    state: Progress
    detail: str = ""


class HttpCalls:
    name: ClassVar[str] = "http"
    Parameters: ClassVar[type[Parameters]] = HttpParameters
    target_kind: ClassVar[str] = "endpoint"
    repeatable: ClassVar[bool] = False

    def __init__(
        self,
        settings: HttpExecutor,
        mask: Masker,
        transport: httpx2.BaseTransport | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._mask = mask
        self._clock = clock
        self._client = httpx2.Client(transport=transport, follow_redirects=False, trust_env=False)

    def plan(self, parameters: HttpParameters, *, timeout: float) -> Plan:
        """What would be sent; that the receiver is alive shows where there is a status address."""
        self._check(parameters)
        if parameters.status_url:
            self._ask(parameters.status_url, "dry-run", timeout)
        sent = f" with {json.dumps(dict(parameters.body))[:300]}" if parameters.body else ""
        where = parameters.url.partition("?")[0]
        return Plan(
            targets=(parameters.target or where.partition("://")[2],),
            effect=f"{parameters.method} {where} will be called{sent}.",
        )

    def run(self, parameters: HttpParameters, *, key: str, timeout: float) -> Outcome:
        self._check(parameters)
        response = self._send(parameters.method, parameters.url, _json(parameters.body), key, timeout)
        output = self._mask(response.content)
        if response.status_code == 202 and parameters.status_url:
            return Outcome(progress="running", detail="The service accepted it (202).", output=output)
        if response.is_success:
            return Outcome(detail=f"The service answered {response.status_code}.", output=output)
        if response.status_code < 500 and response.status_code not in {408, 425, 429}:
            raise Permanent(
                f"{_host(parameters.url)} refused {parameters.method} with {response.status_code}: "
                f"{output[:300] or 'no reason given'}"
            )
        raise Transient(f"{_host(parameters.url)} answered {response.status_code}: {output[:300]}")

    def state(self, parameters: HttpParameters, *, key: str, timeout: float) -> Outcome:
        self._check(parameters)
        if parameters.status_url is None:
            return Outcome(progress="unknown", detail="No status_url is declared that could tell.")
        told = self._ask(parameters.status_url, key, timeout)
        return Outcome(progress=told.state, detail=self._mask(told.detail)[:300])

    def inverse(self, parameters: HttpParameters, plan: Plan) -> HttpParameters | None:
        del plan
        if parameters.undo is None:
            return None
        kept = {"target": parameters.target, "status_url": parameters.status_url}
        return HttpParameters(**parameters.undo.model_dump(), **kept)

    def _ask(self, status_url: str, key: str, timeout: float) -> _Told:
        response = self._send("GET", status_url.replace("{key}", key), b"", key, timeout)
        if response.status_code == 404:
            return _Told(state="absent")
        if response.status_code != 200:
            raise Transient(f"{_host(status_url)} answered {response.status_code} when asked for the state.")
        try:
            return _Told.model_validate_json(response.content)
        except ValidationError as exc:
            raise Permanent(
                f'{_host(status_url)} does not tell the state as {{"state": "running"}} with one of absent, '
                "running, done, failed, unknown; correct status_url."
            ) from exc

    def _send(self, method: str, url: str, body: bytes, key: str, timeout: float) -> httpx2.Response:
        request = self._client.build_request(method, url, content=body, timeout=timeout)
        request.headers.update({"Content-Type": "application/json", "Idempotency-Key": key})
        request.headers.update(self._signature(request, body))
        try:
            response = self._read(request, time.monotonic() + timeout)
        except httpx2.RequestError as exc:
            raise Transient(
                f"{_host(url)} did not answer {method} within {timeout:g} s: {type(exc).__name__}."
            ) from exc
        if response.is_redirect:
            raise Permanent(
                f"{_host(url)} wants to send us elsewhere ({response.status_code}), which is not followed; "
                "declare the final address."
            )
        return response

    def _read(self, request: httpx2.Request, deadline: float) -> httpx2.Response:
        """A bounded part of the answer; a receiver that drips can't hold us beyond the deadline."""
        response, parts = self._client.send(request, stream=True), bytearray()
        try:
            for part in response.iter_bytes():
                parts += part
                if time.monotonic() > deadline:
                    raise httpx2.ReadTimeout("the answer took too long", request=request)
                if len(parts) > MOST_BYTES:
                    break
        finally:
            response.close()
        return httpx2.Response(response.status_code, content=bytes(parts[:MOST_BYTES]), request=request)

    def _signature(self, request: httpx2.Request, body: bytes) -> dict[str, str]:
        if self._settings.secret is None:
            raise Permanent("executors.http.secret is not set: requests that are not signed are not sent.")
        stamp = str(int(self._clock()))
        head = f"v1:{stamp}:{request.method}:{request.url.raw_path.decode()}:".encode()
        key = self._settings.secret.get_secret_value().encode()
        signature = hmac.new(key, head + body, hashlib.sha256).hexdigest()
        return {"X-Signalbox-Timestamp": stamp, "X-Signalbox-Signature": f"v1={signature}"}

    def _check(self, parameters: HttpParameters) -> None:
        for url in parameters.urls:
            if _host(url) not in self._settings.hosts:
                raise Refused(
                    f"{_host(url)} is not among executors.http.hosts; nothing was sent. "
                    "Add it there if it may be called.",
                    check="registered",
                )


def _host(url: str) -> str:
    try:
        return httpx2.URL(url).netloc.decode()
    except httpx2.InvalidURL as exc:
        raise Refused(f"The address is not a URL ({exc}); nothing was sent.", check="registered") from exc


def _json(body: Mapping[str, Any] | None) -> bytes:
    return b"" if body is None else json.dumps(body, separators=(",", ":")).encode()


def connect(services: Services) -> HttpCalls:
    return HttpCalls(services.settings.executors.http, Masker.of(services.settings))
