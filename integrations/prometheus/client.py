"""Prometheus's HTTP API v1 as the metrics port."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from bot.core.errors import Permanent, SignalboxError, Transient
from bot.core.ports import Health, Rule, Sample, Series
from bot.core.settings import PrometheusSettings
from integrations.prometheus.models import ApiSeries, BuildInfo, Instant, Problem, Range, Rules, merged

TIMEOUT = httpx2.Timeout(15.0, connect=3.0)
QUERY_SECONDS = 10
"""Prometheus gives up on a query after this, so that it says so before we hang up."""
MOST_POINTS = 10_000
"""A series' points in one answer; Prometheus refuses more than 11,000."""
T = TypeVar("T", bound=BaseModel)


class PrometheusClient:
    def __init__(self, settings: PrometheusSettings, client: httpx2.Client | None = None) -> None:
        headers = {}
        if settings.token is not None:
            headers["Authorization"] = f"Bearer {settings.token.get_secret_value()}"
        self._client = client or httpx2.Client(headers=headers, timeout=TIMEOUT)
        self._base = settings.url.rstrip("/") + "/api/v1"

    def query(self, expression: str, *, at: datetime | None = None) -> Sequence[Sample]:
        form = {"query": expression, "timeout": f"{QUERY_SECONDS}s"}
        if at is not None:
            form["time"] = _seconds(at)
        return self._read(Instant, "POST", "/query", form).data.samples()

    def query_range(
        self, expression: str, *, start: datetime, end: datetime, step: float
    ) -> Sequence[Series]:
        """Values on the grid that begins at `start`; long ranges are asked for in several parts."""
        if step <= 0 or end < start:
            raise Permanent(
                f"A range from {start:%H:%M:%S} to {end:%H:%M:%S} in steps of {step:g} s has no points; "
                "ask for a range that ends after it starts, in steps above 0."
            )
        form = {"query": expression, "timeout": f"{QUERY_SECONDS}s", "step": f"{step:.3f}"}
        found: list[ApiSeries] = []
        for since, until in _parts(start, end, step):
            times = {"start": _seconds(since), "end": _seconds(until)}
            found += self._read(Range, "POST", "/query_range", {**form, **times}).data.result
        return merged(found)

    def rules(self) -> Sequence[Rule]:
        return self._read(Rules, "GET", "/rules?type=alert").data.alerting()

    def health(self) -> Health:
        try:
            self._read(BuildInfo, "GET", "/status/buildinfo")
        except SignalboxError as exc:
            return Health(status="down", detail=str(exc))
        return Health()

    def _read(self, model: type[T], method: str, path: str, form: dict[str, str] | None = None) -> T:
        response = self._send(method, path, form)
        try:
            return model.model_validate_json(response.content)
        except ValidationError as exc:
            raise Permanent(
                f"Prometheus's answer to {path} is not of the kind that was asked for: check that "
                "PROMETHEUS_URL is its base, and that the expression gives numbers."
            ) from exc

    def _send(self, method: str, path: str, form: dict[str, str] | None) -> httpx2.Response:
        sent: dict[str, Any] = {} if form is None else {"data": form}
        try:
            response = self._client.request(method, self._base + path, **sent)
        except httpx2.RequestError as exc:
            raise Transient(f"Prometheus did not answer {path}: {type(exc).__name__}.") from exc
        if response.status_code != 200:
            raise _refusal(response, path)
        return response


def _parts(start: datetime, end: datetime, step: float) -> Iterator[tuple[datetime, datetime]]:
    """The grid cut into stretches that Prometheus answers at once."""
    steps = int((end - start).total_seconds() / step + 1e-9)
    for first in range(0, steps + 1, MOST_POINTS):
        last = min(first + MOST_POINTS - 1, steps)
        yield start + timedelta(seconds=step * first), start + timedelta(seconds=step * last)


def _seconds(at: datetime) -> str:
    return f"{at.timestamp():.3f}"


def _refusal(response: httpx2.Response, path: str) -> SignalboxError:
    status, problem = response.status_code, _problem(response)
    if status == 429 or status >= 500:
        after = response.headers.get("retry-after", "")
        why = f": {problem.error}" if problem.error else ""
        return Transient(
            f"Prometheus answered {status} to {path}{why}.",
            retry_after=float(after) if after.isdecimal() else None,
        )
    if status in {401, 403}:
        return Permanent(f"Prometheus refused {path} with {status}: check SIGNALBOX_PROMETHEUS__TOKEN.")
    if not problem.error_type:
        return Permanent(f"{path} was answered {status}, not as Prometheus does: check PROMETHEUS_URL.")
    return Permanent(f"Prometheus refused the expression ({problem.error_type}): {problem.error[:300]}")


def _problem(response: httpx2.Response) -> Problem:
    try:
        return Problem.model_validate_json(response.content)
    except ValidationError:  # a proxy's page; the status tells enough
        return Problem()
