"""Where service records are kept: one row for each as it stands, every version of it in the audit chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.core.audit import Audit
from bot.core.audit_chain import ERASED
from bot.core.database import Storage
from bot.core.errors import Permanent
from bot.core.events import new_id
from bot.core.service_models import SCHEMA_VERSION, SERVICE, RecordActor, may_move
from bot.core.tables import service_records as table

ACTION = "record."


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Whose doing a version of a record is: the plugin, the event that it handled, who asked for it."""

    plugin: str
    actor: RecordActor
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class StoredRecord:
    id: str
    type: str
    status: str
    version: int
    plugin: str
    event_id: str | None
    opened_at: datetime
    updated_at: datetime
    body: dict[str, Any]


class ServiceLedger:
    """Opens and moves records. Each version is chained in the same transaction."""

    def __init__(self, db: Storage, audit: Audit, clock: Callable[[], datetime], environment: str) -> None:
        self._db = db
        self._audit = audit
        self._clock = clock
        self._environment = environment
        self._insert: Any = sqlite.insert if db.engine.dialect.name == "sqlite" else postgresql.insert

    def open(
        self, record_type: str, status: str, key: str, body: Mapping[str, Any], by: Circumstances
    ) -> StoredRecord:
        """A new record; the same plugin's earlier one of that `key`, if there is one."""
        now = self._clock()
        made = StoredRecord(
            new_id(), record_type, status, 1, by.plugin, by.event_id, now, now, {**body, "status": status}
        )
        row = {name: getattr(made, name) for name in StoredRecord.__slots__} | {"key": key[:255]}
        with self._db.write() as tx:
            new = self._insert(table).values(**row).on_conflict_do_nothing().returning(table.c.id)
            if tx.execute(new).first() is None:
                return cast(StoredRecord, _one(tx, table.c.plugin == by.plugin, table.c.key == key[:255]))
            self._chain(tx, made, by)
        return made

    def move(
        self, record_id: str, status: str, changed: Mapping[str, Any], by: Circumstances
    ) -> StoredRecord:
        """The record's next version.

        Raises:
            Permanent: there is no such record, or it may not move there from where it stands.
        """
        with self._db.write() as tx:
            known = _one(tx, table.c.id == record_id, lock=True)
            if known is None:
                raise Permanent(f"There is no record {record_id!r}. `signalbox records list` shows them.")
            if not may_move(known.type, known.status, status):
                raise Permanent(
                    f"The {known.type} {record_id} is {known.status!r} and can't become {status!r}."
                )
            return self._next(tx, known, status, changed, by)

    def _next(
        self, tx: Connection, known: StoredRecord, status: str, changed: Mapping[str, Any], by: Circumstances
    ) -> StoredRecord:
        now = self._clock()
        body = {**known.body, **changed, "status": status}
        made = StoredRecord(
            known.id, known.type, status, known.version + 1, known.plugin, known.event_id, known.opened_at,
            now, body,
        )  # fmt: skip
        values = {"status": status, "version": made.version, "updated_at": now, "body": body}
        tx.execute(update(table).where(table.c.id == known.id).values(**values))
        self._chain(tx, made, by)
        return made

    def _chain(self, tx: Connection, record: StoredRecord, by: Circumstances) -> None:
        self._audit.append(
            tx,
            by.actor.id,
            f"{ACTION}{record.type}.{record.status}",
            record.id,
            after=self._envelope(record, by),
            event_id=by.event_id,
        )

    def _envelope(self, record: StoredRecord, by: Circumstances) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "id": record.id,
            "version": record.version,
            "ts": record.updated_at.isoformat(),
            "record_type": record.type,
            "service": SERVICE,
            "environment": self._environment,
            "plugin": record.plugin,
            "actor": by.actor.model_dump(),
            "trace_id": by.event_id,
            "body": record.body,
        }

    # -- looking -----------------------------------------------------------------------------------

    def get(self, record_id: str) -> StoredRecord | None:
        with self._db.read() as tx:
            return _one(tx, table.c.id == record_id)

    def find(
        self,
        *,
        record_type: str | None = None,
        status: str | None = None,
        plugin: str | None = None,
        event_id: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> list[StoredRecord]:
        """Records as they stand, newest first."""
        query = select(*_COLUMNS).order_by(table.c.opened_at.desc(), table.c.id.desc()).limit(limit)
        wanted = {"type": record_type, "status": status, "plugin": plugin, "event_id": event_id}
        for name, value in wanted.items():
            query = query if value is None else query.where(table.c[name] == value)
        if since is not None:
            query = query.where(table.c.opened_at >= since)
        with self._db.read() as tx:
            return [_stored(row) for row in tx.execute(query)]

    def history(self) -> Iterator[dict[str, Any]]:
        """Every version of every record as it was chained, oldest first, with its place in the chain."""
        for link in self._audit.links():
            if link.action.startswith(ACTION) and isinstance(link.after, dict):
                yield {**link.after, "position": link.position, "hash": link.hash}

    def faults(self) -> list[str]:
        """Records that say otherwise than the chain, and moves that were not allowed; empty: all is well."""
        last: dict[str, tuple[str, dict[str, Any]]] = {}
        versions: dict[str, int] = {}
        found = []
        for version in self.history():
            record_id, body, number = version["id"], version["body"], version["version"]
            before = last[record_id][0] if record_id in last else ""
            # Versions that were erased are missing on purpose; the chain vouches for that.
            follows = number == versions.get(record_id, 0) + 1
            if follows and not may_move(version["record_type"], before, body["status"]):
                found.append(
                    f"Record {record_id} went from {before!r} to {body['status']!r}, which is not allowed."
                )
            last[record_id], versions[record_id] = (body["status"], body), number
        return found + [words for words in map(self._difference, last, last.values()) if words]

    def _difference(self, record_id: str, chained: tuple[str, dict[str, Any]]) -> str:
        stored = self.get(record_id)
        if stored is None:
            return f"Record {record_id} stands in the chain but is missing from the table."
        if _is_erased(stored) and self._has_erased():
            return ""
        same = stored.body == chained[1] and stored.status == chained[0]
        return "" if same else f"Record {record_id} says something else than its last version in the chain."

    def _has_erased(self) -> bool:
        """Whether any version was emptied; the chain's walk makes sure that this was recorded."""
        return any(link.salt is None and link.action.startswith(ACTION) for link in self._audit.links())


def _is_erased(stored: StoredRecord) -> bool:
    """Whether words of it were erased on purpose; then its last version in the chain is emptied too."""
    return any(value == ERASED for value in stored.body.values())


_COLUMNS = [table.c[name] for name in StoredRecord.__slots__]


def _one(tx: Connection, *where: Any, lock: bool = False) -> StoredRecord | None:
    query = select(*_COLUMNS).where(*where)
    row = tx.execute(query.with_for_update() if lock else query).one_or_none()
    return _stored(row) if row else None


def _stored(row: Row[Any]) -> StoredRecord:
    return StoredRecord(**row._mapping)  # noqa: SLF001  # SQLAlchemy's public name for it
