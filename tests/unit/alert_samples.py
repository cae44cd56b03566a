"""Alert groups for tests: made here, or read from the recorded payloads."""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta

from bot.plugin import Alert, AlertGroup
from bot.testing import START
from integrations.alertmanager.models import Notification
from tests.recordings import recording

LABELS = {"alertname": "HighErrorRate", "service": "checkout"}


def recorded(name: str) -> AlertGroup:
    body = recording(name)
    body = gzip.decompress(body) if name.endswith(".gz") else body
    return Notification.model_validate_json(body).value()


def alert(
    instance: str = "web-1",
    *,
    status: str = "firing",
    started: datetime = START - timedelta(minutes=2),
    ended: datetime | None = None,
    silenced_by: tuple[str, ...] = (),
    severity: str = "critical",
    **annotations: str,
) -> Alert:
    return Alert(
        fingerprint=f"fp-{instance}",
        status=status,
        labels={**LABELS, "instance": instance, "severity": severity},
        annotations={"summary": f"{instance} fails", **annotations},
        starts_at=started,
        ends_at=ended,
        generator_url="http://prometheus.example/graph",
        silenced_by=silenced_by,
    )


def group(
    *alerts: Alert, labels: dict[str, str] | None = None, key: str = "g1", truncated: int = 0
) -> AlertGroup:
    found = LABELS if labels is None else labels
    firing = any(a.status == "firing" for a in alerts)
    common = dict.items(alerts[0].labels) & dict.items(alerts[-1].labels) if alerts else set()
    return AlertGroup(
        key=key,
        receiver="chat",
        status="firing" if firing else "resolved",
        group_labels=found,
        common_labels=dict(common),
        alerts=alerts,
        truncated=truncated,
        external_url="http://alertmanager.example",
    )


def resolved(instance: str = "web-1", after: timedelta = timedelta(minutes=12)) -> Alert:
    started = START - timedelta(minutes=2)
    return alert(instance, status="resolved", started=started, ended=started + after)
