"""Mitigations for tests, and the path from an alert to a verified run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from alert_samples import alert, group

from bot.plugin import AlertGroup
from bot.testing import Delivered, Kit, Shown
from plugins.alert_relay import AlertRelay
from plugins.alert_relay.mitigation.handlers import MitigationHandlers

QUERY = 'errors{service="checkout"}'
RESTART: dict[str, Any] = {
    "name": "restart",
    "title": "Restart checkout",
    "match": {"alertname": "HighErrorRate"},
    "executor": "fake",
    "parameters": {"target": "{{ labels.service }}", "value": "on"},
    "confirm": "Requests in flight fail.",
    "verify": {
        "query": 'errors{service="{{ labels.service }}"}',
        "threshold": 0.05,
        "settle": 30,
        "window": 300,
        "hold": 60,
    },
}
MITIGATION_METHODS = frozenset(
    name for name, method in vars(MitigationHandlers).items() if hasattr(method, "__signalbox__")
)
ALL = ("alerts.*", "mitigation.*")


def declared(**changed: Any) -> dict[str, Any]:
    """The sample with fields replaced; tables are merged, None takes a field away."""
    merged = {
        name: {**RESTART[name], **value}
        if isinstance(value, dict) and isinstance(RESTART.get(name), dict)
        else value
        for name, value in changed.items()
    }
    return {name: value for name, value in {**RESTART, **merged}.items() if value is not None}


def kit_with(
    *mitigations: dict[str, Any],
    database_url: str = "sqlite://",
    settings: dict[str, Any] | None = None,
    **config: Any,
) -> Kit:
    kit = Kit(
        AlertRelay,
        config={"mitigations": list(mitigations or (RESTART,)), **config},
        database_url=database_url,
        settings=settings,
    )
    for user in ("UANN", "UBOB", "UCAT"):
        kit.grant(user, *ALL)
    kit.metrics.set(QUERY, 0.2)
    return kit


def fire(kit: Kit, *alerts: Any, key: str = "g1") -> AlertGroup:
    live = group(*(alerts or (alert(),)), key=key)
    kit.alerts.set([live])
    kit.event("alertmanager.group", live, subject=live.key)
    return live


def press(kit: Kit, label: str = "Restart checkout", user: str = "UANN") -> Delivered:
    return kit.click(label, user=user)


def ask(kit: Kit, user: str = "UANN", label: str = "Restart checkout") -> Delivered:
    """Press and confirm, if there is something to confirm."""
    before = len(kit.chat.modals)
    pressed = press(kit, label, user)
    return kit.submit({}, user=user) if len(kit.chat.modals) > before else pressed


def later(kit: Kit, seconds: float, step: float = 10.0) -> None:
    """Let time pass as the clock of the product does."""
    for _ in range(round(seconds / step)):
        kit.clock.advance(timedelta(seconds=step))
        kit.tick("look_after_mitigations")


def message(kit: Kit) -> Shown:
    return next(shown for shown in kit.chat.messages if not shown.thread)


def thread(kit: Kit) -> list[str]:
    return [shown.text for shown in kit.chat.messages if shown.thread]


def statuses(kit: Kit) -> list[str]:
    return [record.data["status"] for record in kit.records("mitigation")]
