"""Alertmanager's API v2, as version 0.25 answers it."""

import re
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from integrations.sandbox.alertmanager import clock
from integrations.sandbox.alertmanager.alerts import Invalid
from integrations.sandbox.alertmanager.bodies import INVALID_TYPE, Refusal, alerts_body, schema, silence_body
from integrations.sandbox.alertmanager.engine import Engine, Filters
from integrations.sandbox.alertmanager.labels import BadMatcher, Matcher, parse_filter
from integrations.sandbox.alertmanager.notify import GROUP_BY, RECEIVER, Timing
from integrations.sandbox.alertmanager.sender import VERSION
from integrations.sandbox.alertmanager.silences import BadSilence, UnknownSilence
from integrations.sandbox.faults import Fault, Faults, Handler, route_class

MOUNT = "/alertmanager"
MatcherTexts = Annotated[list[str] | None, Query(alias="filter")]


def api_routes(engine: Engine, faults: Faults) -> APIRouter:
    async def around(request: Request, work: Handler) -> Response:
        try:
            return await faults.around(request, work, fault_answer)
        except Refusal as refusal:
            return refusal.response()
        except (BadSilence, Invalid, BadMatcher) as refusal:
            return JSONResponse(str(refusal), status_code=400)

    router = APIRouter(route_class=route_class(around))
    _alert_routes(router, engine)
    _silence_routes(router, engine)
    _status_routes(router, engine)
    return router


def fault_answer(fault: Fault) -> Response:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    status = fault.status or 500
    return PlainTextResponse(f"The sandbox was told to answer {status}.", status_code=status, headers=headers)


def _alert_routes(router: APIRouter, engine: Engine) -> None:
    @router.get("/api/v2/alerts")
    async def alerts(request: Request, matchers: MatcherTexts = None, receiver: str | None = None) -> Any:
        return engine.alerts(_filters(request, matchers, receiver))

    @router.get("/api/v2/alerts/groups")
    async def groups(request: Request, matchers: MatcherTexts = None, receiver: str | None = None) -> Any:
        return engine.groups(_filters(request, matchers, receiver))

    @router.post("/api/v2/alerts")
    async def post_alerts(request: Request) -> Response:
        engine.post(await alerts_body(request))
        return Response(status_code=200)


def _silence_routes(router: APIRouter, engine: Engine) -> None:
    @router.get("/api/v2/silences")
    async def silences(matchers: MatcherTexts = None) -> Any:
        moment = clock.now()
        return [silence.as_json(moment) for silence in engine.silences.listed(_matchers(matchers), moment)]

    @router.post("/api/v2/silences")
    async def post_silence(request: Request) -> Any:
        try:
            return {"silenceID": engine.silence(await silence_body(request))}
        except UnknownSilence as exc:
            raise Refusal(404, "silence not found") from exc

    @router.get("/api/v2/silence/{silence_id}")
    async def silence(silence_id: str) -> Any:
        try:
            return engine.silences.get(_uuid(silence_id)).as_json(clock.now())
        except UnknownSilence:
            return Response(status_code=404)

    @router.delete("/api/v2/silence/{silence_id}")
    async def expire(silence_id: str) -> Response:
        """Alertmanager answers 500 for an id that it does not know."""
        try:
            engine.expire(_uuid(silence_id))
        except UnknownSilence as exc:
            raise Refusal(500, "silence not found") from exc
        return Response(status_code=200)


def _status_routes(router: APIRouter, engine: Engine) -> None:
    @router.get("/api/v2/status")
    async def status() -> Any:
        return {
            "cluster": {"peers": [], "status": "disabled"},
            "config": {"original": config(engine.timing)},
            "uptime": clock.milliseconds(engine.started_at),
            "versionInfo": {
                "branch": "sandbox",
                "buildDate": "",
                "buildUser": "",
                "goVersion": "",
                "revision": "",
                "version": VERSION,
            },
        }

    @router.get("/-/healthy", response_class=PlainTextResponse)
    @router.get("/-/ready", response_class=PlainTextResponse)
    async def well() -> str:
        return "OK"


def config(timing: Timing) -> str:
    """The configuration that would make a real Alertmanager behave like this."""
    return (
        f"global:\n  resolve_timeout: {timing.resolve_timeout:g}s\n"
        f"route:\n  receiver: {RECEIVER}\n  group_by: [{', '.join(GROUP_BY)}]\n"
        f"  group_wait: {timing.group_wait:g}s\n  group_interval: {timing.group_interval:g}s\n"
        f"  repeat_interval: {timing.repeat_interval:g}s\n"
        f"receivers:\n- name: {RECEIVER}\n  webhook_configs:\n"
        f"  - send_resolved: true\n    url: <secret>\n    max_alerts: {timing.max_alerts}\n"
    )


def _filters(request: Request, matchers: list[str] | None, receiver: str | None) -> Filters:
    try:
        re.compile(receiver or "")
    except re.error as exc:
        message = f"failed to parse receiver param: error parsing regexp: {exc.msg}: `{receiver}`"
        raise Refusal(400, message) from exc
    return Filters(
        matchers=_matchers(matchers),
        receiver=receiver,
        active=_flag(request, "active"),
        silenced=_flag(request, "silenced"),
    )


def _flag(request: Request, name: str) -> bool:
    """Alertmanager takes whatever is not true for false."""
    given = request.query_params.get(name, "true").casefold()
    return given in {"true", "1", "t", "yes", "on", "ok", "y", "checked", "enabled", "selected"}


def _matchers(texts: list[str] | None) -> list[Matcher]:
    return [parse_filter(text) for text in texts or []]


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as exc:
        raise schema(INVALID_TYPE, f'silenceID in path must be of type uuid: "{text}"') from exc
