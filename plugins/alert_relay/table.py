"""A group's alerts as a file that opens in a spreadsheet."""

from __future__ import annotations

import csv
import io

from bot.plugin import Alert, AlertGroup
from plugins.alert_relay import card

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_of(group: AlertGroup) -> bytes:
    """One line an alert: its state, start and summary, then its labels."""
    labels = sorted({name for alert in group.alerts for name in alert.labels})
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["status", "started_at", "summary", *labels])
    for alert in group.alerts:
        writer.writerow([_safe(value) for value in _row(alert, labels)])
    return out.getvalue().encode()


def _row(alert: Alert, labels: list[str]) -> list[str]:
    status = card.muted_how(alert) or alert.status
    summary = alert.annotations.get("summary", "")
    return [status, alert.starts_at.isoformat(), summary, *(alert.labels.get(name, "") for name in labels)]


def _safe(value: str) -> str:
    """A spreadsheet would run what begins like a formula."""
    return f"'{value}" if value.startswith(_FORMULA) else value
