"""Request bodies, checked as Alertmanager's schema checks them, refused with its codes and words."""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import JSONResponse

from integrations.sandbox.alertmanager import clock

INVALID_TYPE, REQUIRED, TOO_FEW = 601, 602, 612

Json = dict[str, Any]


class Refusal(Exception):
    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body

    def response(self) -> JSONResponse:
        return JSONResponse(self.body, status_code=self.status)


def schema(code: int, message: str) -> Refusal:
    """Schema faults are 422, which the published API description does not mention."""
    return Refusal(422, {"code": code, "message": message})


def unparsable(what: str, why: str) -> Refusal:
    return Refusal(400, {"code": 400, "message": f'parsing {what} body from "" failed, because {why}'})


async def silence_body(request: Request) -> Json:
    body = await _parsed(request, "silence")
    if not isinstance(body, dict):
        raise unparsable("silence", "json: cannot unmarshal this value into a silence")
    matchers = body.get("matchers")
    _check_types("silence", "Silence", body, ("comment", "createdBy", "endsAt", "startsAt", "id"))
    _check_times("silence", body)
    _require(body, ("comment", "createdBy", "endsAt", "matchers", "startsAt"))
    if not isinstance(matchers, list):
        raise unparsable("silence", "json: cannot unmarshal matchers into a list")
    if not matchers:
        raise schema(TOO_FEW, "matchers in body should have at least 1 items")
    for position, matcher in enumerate(matchers):
        _check_matcher(matcher, f"matchers.{position}.")
    return body


async def alerts_body(request: Request) -> list[Json]:
    body = await _parsed(request, "alerts")
    if not isinstance(body, list):
        raise unparsable("alerts", "json: cannot unmarshal this value into a list of alerts")
    for position, alert in enumerate(body):
        _check_alert(alert, position)
    return body


async def _parsed(request: Request, what: str) -> Any:
    raw = await request.body()
    if not raw:
        raise schema(REQUIRED, f"{what} in body is required")
    try:
        return json.loads(raw)
    except ValueError as exc:
        raise unparsable(what, str(exc)) from exc


def _require(body: Json, names: Iterable[str], prefix: str = "") -> None:
    for name in names:
        if body.get(name) is None:
            raise schema(REQUIRED, f"{prefix}{name} in body is required")


def _check_types(what: str, kind: str, body: Json, names: Iterable[str]) -> None:
    for name in names:
        if not isinstance(body.get(name), str | None):
            raise unparsable(what, f"json: cannot unmarshal {kind}.{name} into a string")


def _check_times(what: str, body: Json) -> None:
    for name in ("endsAt", "startsAt"):
        text = body.get(name)
        if not text:
            continue
        try:
            clock.parse(text)
        except (ValueError, OverflowError) as exc:
            raise unparsable(
                what, f'parsing time "{text}" as "2006-01-02 15:04:05": cannot parse it'
            ) from exc


def _check_matcher(matcher: Any, where: str) -> None:
    if not isinstance(matcher, dict):
        raise unparsable("silence", f"json: cannot unmarshal {where} into a matcher")
    _check_types("silence", "Matcher", matcher, ("name", "value"))
    for name in ("isRegex", "isEqual"):
        if not isinstance(matcher.get(name), bool | None):
            raise unparsable("silence", f"json: cannot unmarshal Matcher.{name} into a bool")
    _require(matcher, ("isRegex", "name", "value"), where)


def _check_alert(alert: Any, position: int) -> None:
    if not isinstance(alert, dict):
        raise unparsable("alerts", "json: cannot unmarshal this value into an alert")
    for name in ("labels", "annotations"):
        pairs = alert.get(name)
        if not isinstance(pairs, dict | None) or not all(isinstance(v, str) for v in (pairs or {}).values()):
            raise unparsable("alerts", f"json: cannot unmarshal Alert.{name} into a map of strings")
    _check_types("alerts", "Alert", alert, ("startsAt", "endsAt", "generatorURL"))
    _check_times("alerts", alert)
    _require(alert, ("labels",), f"{position}.")
    url = alert.get("generatorURL")
    if url and not urlsplit(url).scheme:
        raise schema(INVALID_TYPE, f'{position}.generatorURL in body must be of type uri: "{url}"')
