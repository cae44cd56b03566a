"""What is sent, and when: Alertmanager's decisions as functions of values, and its webhook payload."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

from integrations.sandbox.alertmanager import clock
from integrations.sandbox.alertmanager.alerts import Alert
from integrations.sandbox.alertmanager.labels import Labels, shown

RECEIVER = "signalbox"
GROUP_BY = ("alertname", "service")


class Timing(BaseModel):
    """Seconds. Short waits, so that a person sees a group's life in minutes."""

    model_config = ConfigDict(frozen=True)
    group_wait: float = 1.0
    group_interval: float = 5.0
    repeat_interval: float = 4 * 3600.0
    resolve_timeout: float = 300.0
    min_timeout: float = 10.0
    """How long a notification is tried at least before it waits for the next interval."""
    max_alerts: int = 0
    """More than these are cut off a notification; 0 sends all."""


class Sent(BaseModel):
    """What the last successful notification of a group held."""

    at: datetime
    firing: set[str]
    resolved: set[str]


def group_labels(labels: Labels) -> dict[str, str]:
    return {name: labels[name] for name in GROUP_BY if name in labels}


def group_key(labels: Labels) -> str:
    return "{}:" + shown(labels)


def due(last: Sent | None, firing: set[str], resolved: set[str], repeat: timedelta, moment: datetime) -> bool:
    """First firing, something new, something resolved, all resolved, or the repeat interval is over."""
    if last is None:
        return bool(firing)
    if not firing <= last.firing:
        return True
    if not firing:
        return bool(last.firing)
    return not resolved <= last.resolved or last.at < moment - repeat


def in_order(alerts: Iterable[Alert]) -> list[Alert]:
    return sorted(
        alerts,
        key=lambda a: (a.labels.get("job", ""), a.labels.get("instance", ""), sorted(a.labels.items())),
    )


def payload(
    labels: Labels, alerts: list[Alert], external_url: str, max_alerts: int, moment: datetime
) -> dict[str, Any]:
    """Version 4. Common labels, status and annotations are those of the alerts that are sent."""
    kept = alerts[:max_alerts] if max_alerts else alerts
    firing = any(not alert.resolved(moment) for alert in kept)
    return {
        "receiver": RECEIVER,
        "status": "firing" if firing else "resolved",
        "alerts": [_alert(alert, moment) for alert in kept],
        "groupLabels": dict(labels),
        "commonLabels": _common(alert.labels for alert in kept),
        "commonAnnotations": _common(alert.annotations for alert in kept),
        "externalURL": external_url,
        "version": "4",
        "groupKey": group_key(labels),
        "truncatedAlerts": len(alerts) - len(kept),
    }


def _alert(alert: Alert, moment: datetime) -> dict[str, Any]:
    resolved = alert.resolved(moment)
    return {
        "status": "resolved" if resolved else "firing",
        "labels": dict(sorted(alert.labels.items())),
        "annotations": dict(sorted(alert.annotations.items())),
        "startsAt": clock.shortest(alert.starts_at),
        "endsAt": clock.shortest(alert.ends_at if resolved else None),
        "generatorURL": alert.generator_url,
        "fingerprint": alert.fingerprint,
    }


def _common(sets: Iterable[Mapping[str, str]]) -> dict[str, str]:
    pairs = [set(each.items()) for each in sets]
    return dict(sorted(set.intersection(*pairs))) if pairs else {}
