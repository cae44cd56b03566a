"""The audit trail: who or what changed what, when, from what to what, and what came of it.

Append-only: each row is sealed into one hash chain in the transaction that adds it (docs/decisions/0006),
and the database itself refuses to change or delete a row.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.core import audit_chain
from bot.core.audit_chain import ChainReport, Head, Link
from bot.core.database import Storage
from bot.core.events import utc_now
from bot.core.tables import audit, audit_head, microseconds
from bot.core.texts import storable, storable_json

AuditOutcome = Literal["done", "refused", "failed"]
_BATCH = 1000


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
        self.clock = clock
        self._insert: Any = sqlite.insert if db.engine.dialect.name == "sqlite" else postgresql.insert

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
        row = self._row(actor, action, subject, outcome, before, after, event_id)
        known = select(audit.c.seq).where(
            *(audit.c[name] == row[name] for name in ("event_id", "action", "subject", "outcome"))
        )
        with self._db.write() as tx:
            if event_id is None or tx.execute(known.limit(1)).first() is None:
                self._append(tx, row)

    def append(
        self,
        tx: Connection,
        actor: str,
        action: str,
        subject: str,
        *,
        outcome: AuditOutcome = "done",
        before: Any = None,
        after: Any = None,
        event_id: str | None = None,
    ) -> None:
        """Add a row within a transaction of `Database.write`. Do it last: it holds the end of the chain."""
        self._append(tx, self._row(actor, action, subject, outcome, before, after, event_id))

    def _row(
        self,
        actor: str,
        action: str,
        subject: str,
        outcome: AuditOutcome,
        before: Any,
        after: Any,
        event_id: str | None,
    ) -> dict[str, Any]:
        return {
            "at": self.clock(),
            "actor": storable(actor[:120]),
            "action": storable(action[:120]),
            "subject": storable(subject[:255]),
            "outcome": outcome,
            "before": _as_json(before),
            "after": _as_json(after),
            "event_id": event_id,
        }

    def _append(self, tx: Connection, row: dict[str, Any]) -> None:
        sealed = _seal(self._lock_head(tx), row)
        tx.execute(insert(audit).values(**row, **sealed))
        _move_head(tx, Head(sealed["position"], sealed["hash"]))

    def _lock_head(self, tx: Connection) -> Head:
        """The chain's end, held until the transaction is over: one writer after the other."""
        query = select(audit_head.c.position, audit_head.c.hash).with_for_update()
        found = tx.execute(query).one_or_none()
        if found is None:  # a database made without migrations
            first = self._insert(audit_head).values(id=1, position=0, hash=audit_chain.GENESIS)
            tx.execute(first.on_conflict_do_nothing())
            found = tx.execute(query).one()
        return Head(found.position, found.hash)

    def seal_strays(self) -> int:
        """Seal rows that an older version added during a rolling upgrade; how many there were."""
        if not self._strays():
            return 0
        with self._db.write() as tx:
            head = self._lock_head(tx)
            sealed = _seal_strays(tx, head)
            return sealed.position - head.position

    # -- looking -----------------------------------------------------------------------------------

    def rows(self, *, event_id: str | None = None, after_seq: int = 0, limit: int = 1000) -> list[AuditRow]:
        query = select(*_ROW).where(audit.c.seq > after_seq).order_by(audit.c.seq).limit(limit)
        if event_id:
            query = query.where(audit.c.event_id == event_id)
        with self._db.read() as tx:
            return [AuditRow(*row) for row in tx.execute(query)]

    def recent(self, limit: int = 100, *, search: str = "") -> list[AuditRow]:
        """The newest rows, newest first; `search` looks in who, what and to what."""
        query = select(*_ROW).order_by(audit.c.seq.desc()).limit(limit)
        if search:
            texts = (audit.c.actor, audit.c.action, audit.c.subject)
            query = query.where(or_(*(text.icontains(search, autoescape=True) for text in texts)))
        with self._db.read() as tx:
            return [AuditRow(*row) for row in tx.execute(query)]

    def head(self) -> Head:
        with self._db.read() as tx:
            found = tx.execute(select(audit_head.c.position, audit_head.c.hash)).one_or_none()
        return Head(*found) if found else Head()

    def links(self) -> Iterator[Link]:
        """All sealed rows in the chain's order."""
        last = 0
        while batch := self._links_after(last):
            yield from batch
            last = batch[-1].position

    def _links_after(self, position: int) -> list[Link]:
        query = select(audit).where(audit.c.position > position).order_by(audit.c.position).limit(_BATCH)
        with self._db.read() as tx:
            return [_link(row) for row in tx.execute(query)]

    def verify(self, anchors: Iterable[Head] = ()) -> ChainReport:
        """Walk the whole chain; rows added meanwhile are left to the next walk."""
        head = self.head()
        links = (link for link in self.links() if link.position <= head.position)
        report = audit_chain.verify(links, [*anchors, head])
        strays = self._strays()
        if strays:
            report.add(f"{strays} rows stand outside of the chain; workers of an older version add such.")
        return report

    def _strays(self) -> int:
        with self._db.read() as tx:
            return tx.execute(select(func.count()).where(audit.c.position.is_(None))).scalar_one()

    # -- forgetting --------------------------------------------------------------------------------

    def erase(self, positions: Iterable[int], reason: str, actor: str) -> int:
        """Empty rows of what may be about a person and record that; the chain stays verifiable."""
        wanted = sorted(set(positions))
        with self._db.write() as tx:
            for start in range(0, len(wanted), _BATCH):
                batch = wanted[start : start + _BATCH]
                tx.execute(update(audit).where(audit.c.position.in_(batch)).values(**_TOMBSTONE))
                self.append(tx, actor, audit_chain.ERASE_ACTION, reason, after={"positions": batch})
        return len(wanted)


_ROW = [audit.c[name] for name in AuditRow.__slots__]
_TOMBSTONE = {
    "actor": audit_chain.ERASED,
    "subject": audit_chain.ERASED,
    "before": None,
    "after": None,
    "salt": None,
}


def _as_json(value: Any) -> Any:
    """As it will come back from the database: keys are text, tuples are lists."""
    return None if value is None else json.loads(storable_json(value))


def _seal(head: Head, row: dict[str, Any]) -> dict[str, Any]:
    return audit_chain.seal(head, {**row, "at": microseconds(row["at"])}, secrets.token_hex(16))


def _seal_strays(tx: Connection, head: Head) -> Head:
    strays = select(*_ROW).where(audit.c.position.is_(None)).order_by(audit.c.seq).limit(_BATCH)
    for row in tx.execute(strays).all():
        sealed = _seal(head, row._asdict())
        tx.execute(update(audit).where(audit.c.seq == row.seq).values(**sealed))
        head = Head(sealed["position"], sealed["hash"])
        _move_head(tx, head)
    return head


def _move_head(tx: Connection, head: Head) -> None:
    tx.execute(update(audit_head).values(position=head.position, hash=head.hash))


def _link(row: Row[Any]) -> Link:
    values = {name: getattr(row, name) for name in Link.__slots__}
    return Link(**{**values, "at": microseconds(row.at)})
