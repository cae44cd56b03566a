"""Stories to fire from the page: which alerts start when. Written for this project."""

from typing import Any
from urllib.parse import quote_plus

from pydantic import BaseModel, ConfigDict


class Joining(BaseModel):
    """One alert of a story and the second at which it starts."""

    model_config = ConfigDict(frozen=True)
    after_s: float
    labels: dict[str, str]
    annotations: dict[str, str]
    expression: str

    @property
    def generator_url(self) -> str:
        return f"http://prometheus.example.invalid/graph?g0.expr={quote_plus(self.expression)}&g0.tab=1"


class Scenario(BaseModel):
    model_config = ConfigDict(frozen=True)
    name: str
    title: str
    alerts: tuple[Joining, ...]

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "title": self.title, "alerts": len(self.alerts)}


def _alert(after_s: float, name: str, severity: str, expression: str, summary: str, **more: str) -> Joining:
    annotations = {"summary": summary, "runbook_url": f"https://runbooks.example.invalid/{name}"}
    if "description" in more:
        annotations["description"] = more.pop("description")
    labels = {"alertname": name, "severity": severity, "cluster": "sandbox", **more}
    return Joining(after_s=after_s, labels=labels, annotations=annotations, expression=expression)


CHECKOUT = tuple(
    _alert(
        after_s, "HighErrorRate", "critical",
        'sum(rate(http_requests_total{code=~"5..",service="checkout"}[5m])) > 0.05',
        f"Checkout on {instance} fails {share}% of requests",
        instance=instance, service="checkout", team="payments",
        description=f"The share of 5xx answers on {instance} is above 5%.",
    )
    for after_s, instance, share in ((0, "web-1", 12), (8, "web-2", 31), (20, "web-3", 20))
)  # fmt: skip
DISK = (
    _alert(
        0, "DiskWillFillSoon", "warning",
        "predict_linear(node_filesystem_avail_bytes[1h], 4 * 3600) < 0",
        "The data disk of db-1 is full in about four hours",
        instance="db-1", service="database", mountpoint="/var/lib/data",
    ),
)  # fmt: skip
LATENCY = tuple(
    _alert(
        after_s, "SlowRequests", "warning",
        "histogram_quantile(0.99, rate(http_request_duration_seconds_bucket[5m])) > 2",
        f"Search on {instance} answers its slowest 1% in {seconds} s",
        instance=instance, service="search", team="discovery",
    )
    for after_s, instance, seconds in ((0, "search-1", "2.4"), (10, "search-2", "3.1"))
)  # fmt: skip
WATCHDOG = (
    _alert(
        0, "Watchdog", "none", "vector(1)", "Always firing: alerts are on their way", service="monitoring"
    ),
)
STORM = tuple(
    _alert(
        0, "NodeDown", "critical", "up == 0",
        f"node-{number:02d} cannot be reached", instance=f"node-{number:02d}", service="fleet",
    )
    for number in range(1, 41)
)  # fmt: skip

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="checkout-errors", title="Checkout errors: three instances, one by one", alerts=CHECKOUT
        ),
        Scenario(name="disk-filling", title="A disk is filling up", alerts=DISK),
        Scenario(name="latency", title="Search becomes slow", alerts=LATENCY),
        Scenario(name="watchdog", title="Watchdog: always firing", alerts=WATCHDOG),
        Scenario(name="storm", title="A storm of 40 alerts", alerts=STORM),
    )
}
