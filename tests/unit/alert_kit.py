"""What tests of the alert relay do again and again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from alert_samples import group

from bot.plugin import Alert, AlertGroup
from bot.testing import START, Delivered, Kit, Shown
from plugins.alert_relay import AlertRelay

PEOPLE = ("UANN", "UBOB")


def relay_kit(**config: Any) -> Kit:
    kit = Kit(AlertRelay, config=config)
    for user in PEOPLE:
        kit.grant(user, "alerts.*")
    return kit


def notify(kit: Kit, delivered: AlertGroup) -> Delivered:
    return kit.event("alertmanager.group", delivered, subject=delivered.key, actor="alertmanager")


def fires(
    kit: Kit,
    name: str,
    *,
    service: str = "checkout",
    severity: str = "critical",
    started: datetime | None = None,
    ended: datetime | None = None,
    **labels: str,
) -> AlertGroup:
    """Deliver a group of one alert, and let Alertmanager hold it, or hold it no longer when it has ended."""
    made = one(
        name, service=service, severity=severity, started=started or kit.clock(), ended=ended, **labels
    )
    held = [known for known in kit.alerts.groups() if known.key != made.key]
    kit.alerts.set([*held, *([made] if ended is None else [])])
    notify(kit, made)
    return made


def one(
    name: str,
    *,
    service: str = "checkout",
    severity: str = "critical",
    started: datetime = START,
    ended: datetime | None = None,
    **labels: str,
) -> AlertGroup:
    own = {"alertname": name, "service": service}
    alert = Alert(
        fingerprint=f"fp-{name}-{service}",
        status="resolved" if ended else "firing",
        labels={**own, "severity": severity, **labels},
        annotations={"summary": f"{name} of {service}"},
        starts_at=started,
        ends_at=ended,
        generator_url=f"http://prometheus.example/{name}",
    )
    return group(alert, labels=own, key=f"{name}-{service}")


def poll(kit: Kit, **spans: float) -> None:
    """Let time pass, then let the clock's round begin."""
    if spans:
        kit.clock.advance(timedelta(**spans))
    kit.tick("reconcile")
    kit.settle()


def lines(kit: Kit, channel: str = "#alerts") -> list[Shown]:
    """What stands in the channel itself."""
    return [shown for shown in kit.chat.in_channel(channel) if not shown.thread]


def under(kit: Kit, shown: Shown) -> list[Shown]:
    """What stands in its thread."""
    return [reply for reply in kit.chat.messages if reply.thread == shown.ts]


def titled(kit: Kit, title: str) -> Shown:
    """The newest living message of a group."""
    return [s for s in kit.chat.messages if s.key.startswith("alert:") and f"*{title}" in s.text][-1]
