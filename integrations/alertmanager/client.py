"""Alertmanager's API v2 as the alerts port."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import TypeAdapter, ValidationError

from bot.core.errors import Permanent, Transient
from bot.core.events import AlertGroup
from bot.core.ports import Health, Matcher, Silence, idempotent
from bot.core.settings import AlertmanagerSettings
from integrations.alertmanager.models import ApiGroup, ApiSilence, ApiStatus, Created

TIMEOUT = httpx2.Timeout(10.0, connect=3.0)
_GROUPS = TypeAdapter(list[ApiGroup])
_SILENCES = TypeAdapter(list[ApiSilence])
_CREATED = TypeAdapter(Created)
_STATUS = TypeAdapter(ApiStatus)
T = TypeVar("T")


class AlertmanagerClient:
    def __init__(self, settings: AlertmanagerSettings, client: httpx2.Client | None = None) -> None:
        headers = {}
        if settings.api_token is not None:
            headers["Authorization"] = f"Bearer {settings.api_token.get_secret_value()}"
        self._client = client or httpx2.Client(headers=headers, timeout=TIMEOUT)
        self._base = settings.url.rstrip("/") + "/api/v2"

    def groups(self) -> Sequence[AlertGroup]:
        return [group.value() for group in _read(_GROUPS, self._send("GET", "/alerts/groups"))]

    def silences(self) -> Sequence[Silence]:
        return [silence.value() for silence in _read(_SILENCES, self._send("GET", "/silences"))]

    def silence(
        self,
        *,
        matchers: tuple[Matcher, ...],
        ends_at: datetime,
        created_by: str,
        comment: str,
        step_key: str,
    ) -> Silence:
        """Create a silence. Its comment ends with the step's key, by which a cut-off call is found again."""
        body = {
            "matchers": [
                {"name": m.name, "value": m.value, "isRegex": m.is_regex, "isEqual": m.is_equal}
                for m in matchers
            ],
            "startsAt": _stamp(datetime.now(UTC)),
            "endsAt": _stamp(ends_at),
            "createdBy": created_by,
            "comment": f"{comment} [{step_key}]",
        }
        response = self._send("POST", "/silences", json=body)
        return Silence(
            id=_read(_CREATED, response).id,
            matchers=matchers,
            ends_at=ends_at,
            created_by=created_by,
            comment=body["comment"],
        )

    def reconcile_silence(
        self,
        *,
        matchers: tuple[Matcher, ...],
        ends_at: datetime,
        created_by: str,
        comment: str,
        step_key: str,
    ) -> Silence | None:
        del matchers, ends_at, created_by, comment
        return next((s for s in self.silences() if s.comment.endswith(f"[{step_key}]")), None)

    @idempotent
    def expire(self, *, silence_id: str, step_key: str) -> None:
        """End a silence; ending it twice is answered 200 both times."""
        del step_key
        path = f"/silence/{quote(silence_id, safe='')}"
        try:
            self._send("DELETE", path)
        except Transient:
            self._send("GET", path)  # a 500 may mean "unknown" (0.25 says so); GET answers 404 then
            raise

    def health(self) -> Health:
        try:
            _read(_STATUS, self._send("GET", "/status"))
        except (Transient, Permanent) as exc:
            return Health(status="down", detail=str(exc))
        return Health()

    def _send(self, method: str, path: str, **kwargs: Any) -> httpx2.Response:
        try:
            response = self._client.request(method, self._base + path, **kwargs)
        except httpx2.RequestError as exc:
            raise Transient(f"Alertmanager did not answer {method} {path}: {type(exc).__name__}.") from exc
        if response.status_code >= 500 or response.status_code == 429:
            after = response.headers.get("retry-after", "")
            raise Transient(
                f"Alertmanager answered {response.status_code} to {method} {path}.",
                retry_after=float(after) if after.isdecimal() else None,
            )
        if response.status_code >= 300:
            raise Permanent(
                f"Alertmanager refused {method} {path} with {response.status_code}: {response.text[:300]}"
            )
        return response


def _read(adapter: TypeAdapter[T], response: httpx2.Response) -> T:
    try:
        return adapter.validate_json(response.content)
    except ValidationError as exc:
        raise Permanent(
            f"The answer to {response.request.method} {response.request.url.path} is not Alertmanager's "
            "API v2: check that ALERTMANAGER_URL is its base."
        ) from exc


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
