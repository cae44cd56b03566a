"""How changing went: figures of change enablement (ITIL 4) from the records of a span of time."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.core.service_ledger import StoredRecord


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """Shares are of the changes that ended; `lead_hours` is the median from proposal to end."""

    proposed: int
    ended: int
    success_share: float | None
    emergency_share: float | None
    lead_hours: float | None
    backed_out: int
    rejected: int
    incidents: int
    incidents_by_change: int
    reviews_due: int


def report(records: Sequence[StoredRecord], now: datetime, review_days: float) -> ChangeReport:
    """`records` as they stand, of any type."""
    changes = [r for r in records if r.type == "change"]
    ended = [c for c in changes if c.body["ended_at"]]
    well = [c for c in ended if c.body["ended_as"] == "implemented"]
    hours = [_lead_hours(c) for c in ended]
    incidents = [r for r in records if r.type == "incident"]
    return ChangeReport(
        proposed=len(changes),
        ended=len(ended),
        success_share=len(well) / len(ended) if ended else None,
        emergency_share=_share(ended, "emergency"),
        lead_hours=statistics.median(hours) if hours else None,
        backed_out=sum(c.body["ended_as"] == "backed_out" for c in ended),
        rejected=sum(c.body["ended_as"] == "rejected" for c in changes),
        incidents=len(incidents),
        incidents_by_change=sum(bool(i.body["caused_by_change"]) for i in incidents),
        reviews_due=sum(is_review_due(c, now, review_days) for c in changes),
    )


def is_review_due(change: StoredRecord, now: datetime, review_days: float) -> bool:
    """Ended some time ago, and nobody has looked back at it yet."""
    waits = change.status in {"implemented", "failed", "backed_out"}
    return waits and now - change.updated_at > timedelta(days=review_days)


def _lead_hours(change: StoredRecord) -> float:
    ended = datetime.fromisoformat(change.body["ended_at"])
    return (ended - change.opened_at).total_seconds() / 3600


def _share(ended: Sequence[StoredRecord], change_type: str) -> float | None:
    return sum(c.body["change_type"] == change_type for c in ended) / len(ended) if ended else None
