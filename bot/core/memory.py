"""What a plugin remembers: append-only records, and small documents with compare-and-set."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.core.database import Storage
from bot.core.events import new_id, utc_now
from bot.core.tables import documents, records

_AT_ONCE = 500
_ONE = select(documents).where(documents.c.plugin == bindparam("of"), documents.c.key == bindparam("named"))
"""Made once: a handler reads a dozen documents, and making the query costs more than running it."""


@dataclass(frozen=True, slots=True)
class Record:
    id: str
    kind: str
    subject: str
    event_id: str | None
    at: datetime
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Document:
    key: str
    version: int
    data: dict[str, Any]
    updated_at: datetime


class Records:
    """Facts of one plugin, never changed: decisions, outcomes, measurements."""

    def __init__(
        self, db: Storage, plugin: str, event_id: str | None = None, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._db = db
        self._plugin = plugin
        self._event_id = event_id
        self._clock = clock

    def append(self, kind: str, subject: str, data: dict[str, Any], *, durable: bool = True) -> Record:
        """Write a fact down; with `durable=False` a power cut may undo it, as `Database.write` says."""
        record = Record(new_id(), kind, subject, self._event_id, self._clock(), data)
        values = {
            "id": record.id,
            "plugin": self._plugin,
            "kind": kind,
            "subject": subject[:255],
            "event_id": record.event_id,
            "at": record.at,
            "data": data,
        }
        with self._db.write(durable=durable) as tx:
            tx.execute(insert(records).values(**values))
        return record

    def find(
        self,
        kind: str,
        *,
        subject: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
    ) -> list[Record]:
        """Records of a kind, newest first."""
        query = select(
            records.c.id, records.c.kind, records.c.subject, records.c.event_id, records.c.at, records.c.data
        ).where(*self._where(kind, subject, since, until))
        with self._db.read() as tx:
            rows = tx.execute(query.order_by(records.c.at.desc(), records.c.id.desc()).limit(limit))
            return [Record(*row) for row in rows]

    def count(self, kind: str, *, since: datetime | None = None, until: datetime | None = None) -> int:
        query = select(func.count()).where(*self._where(kind, None, since, until))
        with self._db.read() as tx:
            return tx.execute(query).scalar_one()

    def tally(
        self, kind: str, field: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> dict[str, int]:
        """How many records of a kind hold each value of a field that holds text."""
        value = records.c.data[field].as_string()
        query = select(value, func.count()).where(*self._where(kind, None, since, until)).group_by(value)
        with self._db.read() as tx:
            return {str(name): number for name, number in tx.execute(query)}

    def of(self, plugin: str) -> Records:
        """Another plugin's records, to read."""
        return Records(self._db, plugin, self._event_id, self._clock)

    def _where(
        self, kind: str, subject: str | None, since: datetime | None, until: datetime | None
    ) -> list[Any]:
        wanted: list[Any] = [records.c.plugin == self._plugin, records.c.kind == kind]
        wanted += [records.c.subject == subject] if subject is not None else []
        wanted += [records.c.at >= since] if since is not None else []
        wanted += [records.c.at < until] if until is not None else []
        return wanted


class Documents:
    """Small states of one plugin by key. `put` with a version succeeds only on that version."""

    def __init__(self, db: Storage, plugin: str, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._plugin = plugin
        self._clock = clock
        self._insert: Any = sqlite.insert if db.engine.dialect.name == "sqlite" else postgresql.insert

    def get(self, key: str) -> Document | None:
        with self._db.read() as tx:
            row = tx.execute(_ONE, {"of": self._plugin, "named": key}).one_or_none()
        return Document(row.key, row.version, row.data, row.updated_at) if row else None

    def many(self, keys: Sequence[str]) -> list[Document]:
        """Those of the documents that exist, in one query a thousand."""
        found: list[Document] = []
        for start in range(0, len(keys), _AT_ONCE):
            part = keys[start : start + _AT_ONCE]
            found += self._select(documents.c.key.in_(part))
        return found

    def having(self, prefix: str) -> list[Document]:
        """Documents whose keys begin like this, by key."""
        return self._select(documents.c.key.startswith(prefix, autoescape=True))

    def forget(
        self, prefix: str, before: datetime, *, but: Collection[str] = (), batch: int = _AT_ONCE
    ) -> int:
        """Delete documents whose keys begin like this and that were last put before then; how many.

        The oldest `batch` of them, without those whose keys are in `but`, which is for a few.
        """
        old = (
            select(documents.c.key)
            .where(
                documents.c.plugin == self._plugin,
                documents.c.key.startswith(prefix, autoescape=True),
                documents.c.updated_at < before,
                documents.c.key.not_in(but),
            )
            .order_by(documents.c.updated_at)
            .limit(batch)
        )
        found = delete(documents).where(
            documents.c.plugin == self._plugin, documents.c.key.in_(old.scalar_subquery())
        )
        with self._db.write(durable=False) as tx:
            return tx.execute(found).rowcount

    def _select(self, condition: Any) -> list[Document]:
        query = select(documents).where(documents.c.plugin == self._plugin, condition)
        with self._db.read() as tx:
            rows = tx.execute(query.order_by(documents.c.key))
            return [Document(row.key, row.version, row.data, row.updated_at) for row in rows]

    def put(
        self, key: str, data: dict[str, Any], *, version: int | None = None, durable: bool = True
    ) -> bool:
        """Store `data`. With `version` (0: must not exist yet) only if nobody was faster; says whether.

        With `durable=False` a power cut may undo it: for what handling the event once more puts right.
        """
        now = self._clock()
        row = {"plugin": self._plugin, "key": key, "version": 1, "data": data, "updated_at": now}
        with self._db.write(durable=durable) as tx:
            if version is not None and version > 0:
                changed = update(documents).where(*self._is(key), documents.c.version == version)
                values = {"data": data, "version": version + 1, "updated_at": now}
                return tx.execute(changed.values(**values)).rowcount == 1
            statement = self._insert(documents).values(**row)
            if version == 0:
                made = statement.on_conflict_do_nothing().returning(documents.c.version)
                return tx.execute(made).first() is not None
            newer = {"data": data, "version": documents.c.version + 1, "updated_at": now}
            tx.execute(
                statement.on_conflict_do_update(
                    index_elements=[documents.c.plugin, documents.c.key], set_=newer
                )
            )
        return True

    def _is(self, key: str) -> tuple[Any, ...]:
        return (documents.c.plugin == self._plugin, documents.c.key == key)
