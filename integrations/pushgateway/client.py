"""The official client's push as the gateway port."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import push_to_gateway

from bot.core.errors import Permanent, Transient
from bot.core.ports import GaugeValue, Health, idempotent
from bot.core.settings import PushgatewaySettings

TIMEOUT = 10.0


class PushgatewayClient:
    def __init__(self, settings: PushgatewaySettings) -> None:
        self._url = settings.url.rstrip("/")

    @idempotent
    def push(self, *, job: str, figures: Sequence[GaugeValue], step_key: str) -> None:  # noqa: ARG002  # replaced whole
        try:
            push_to_gateway(self._url, job=job, registry=_registry(figures), timeout=TIMEOUT)
        except HTTPError as exc:
            if exc.code >= 500:
                raise Transient(f"The Pushgateway answered {exc.code} to the figures of {job}.") from exc
            raise Permanent(
                f"The Pushgateway refused the figures of {job} with {exc.code}: check PUSHGATEWAY_URL, and "
                "that no other job pushes figures of the same names with another type."
            ) from exc
        except (URLError, OSError) as exc:
            raise Transient(f"The Pushgateway did not take the figures of {job}: {exc}.") from exc

    def health(self) -> Health:
        try:
            with urlopen(f"{self._url}/-/ready", timeout=TIMEOUT):  # noqa: S310  # the operator's own URL
                return Health()
        except (URLError, OSError) as exc:
            return Health(status="down", detail=f"The Pushgateway at {self._url} does not answer: {exc}.")


def _registry(figures: Iterable[GaugeValue]) -> CollectorRegistry:
    """Gauges with these values; a name's figures all have the same labels."""
    registry, made = CollectorRegistry(), dict[str, Gauge]()
    for figure in figures:
        gauge = made.get(figure.name)
        if gauge is None:
            gauge = Gauge(figure.name, figure.help, sorted(figure.labels), registry=registry)
            made[figure.name] = gauge
        (gauge.labels(**figure.labels) if figure.labels else gauge).set(figure.value)
    return registry
