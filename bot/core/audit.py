"""The audit trail: who or what changed what, when, from what to what, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import insert, select

from bot.core.database import Storage
from bot.core.events import utc_now
from bot.core.tables import audit

AuditOutcome = Literal["done", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class AuditRow:
    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    outcome: AuditOutcome
    before: Any
    after: Any
    event_id: str | None


class Audit:
    def __init__(self, db: Storage, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._clock = clock

    def record(
        self,
        actor: str,
        action: str,
        subject: str,
        *,
        outcome: AuditOutcome = "done",
        before: Any = None,
        after: Any = None,
        event_id: str | None = None,
    ) -> None:
        """Add a row. What an event did to a subject is recorded once, however often it is retried."""
        row = {
            "at": self._clock(),
            "actor": actor[:120],
            "action": action[:120],
            "subject": subject[:255],
            "outcome": outcome,
            "before": before,
            "after": after,
            "event_id": event_id,
        }
        known = select(audit.c.seq).where(
            *(audit.c[name] == row[name] for name in ("event_id", "action", "subject", "outcome"))
        )
        with self._db.write() as tx:
            if event_id is None or tx.execute(known.limit(1)).first() is None:
                tx.execute(insert(audit).values(**row))

    def rows(self, *, event_id: str | None = None, after_seq: int = 0, limit: int = 1000) -> list[AuditRow]:
        query = select(audit).where(audit.c.seq > after_seq).order_by(audit.c.seq).limit(limit)
        if event_id:
            query = query.where(audit.c.event_id == event_id)
        with self._db.read() as tx:
            return [AuditRow(*row) for row in tx.execute(query)]

    def export(self) -> Iterator[AuditRow]:
        last = 0
        while batch := self.rows(after_seq=last):
            yield from batch
            last = batch[-1].seq
