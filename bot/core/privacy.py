"""Erasing what is kept about a person, a ticket or a customer: by the ids and names that are given.

Rows stay, with the words in them replaced, so that counts and figures stay true; rows of the audit trail are
emptied and the chain still holds. Slack, Jira, logs, files of the data directory and backups are not reached
from here: docs/security.md says what becomes of them.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    LargeBinary,
    Table,
    Text,
    and_,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.types import JSON

from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.errors import ConfigError
from bot.core.events import new_id
from bot.core.tables import (
    audit,
    buttons,
    claims,
    documents,
    events,
    messages,
    records,
    runs,
    service_records,
    slack_installations,
    steps,
)

ERASED = "erased"
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
SHORTEST = 3
_HTML = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&'"}
# Where words of strangers are kept, besides the audit trail.
_TABLES: Mapping[Table, tuple[str, ...]] = {
    events: ("subject", "actor", "serial", "body"),
    runs: ("error", "serial"),
    steps: ("result", "error"),
    records: ("subject", "data"),
    documents: ("key", "data"),
    messages: ("key", "wanted"),
    buttons: ("label", "args", "claim_group"),
    claims: ("claim_group", "user_id", "label", "outcome"),
    service_records: ("key", "body"),
    slack_installations: ("installed_by",),
}
_AUDITED = ("actor", "subject", "before", "after")
# A row that is about the erased subject itself keeps its single words (labels, bands) and loses its prose.
_ABOUT = ("subject", "key")


class Privacy:
    def __init__(self, db: Database, trail: Audit) -> None:
        self._db = db
        self._audit = trail

    def erase(self, terms: Sequence[str], by: str, reason: str) -> Counter[str]:
        """Replace the terms wherever they stand as whole words; how many rows of which table changed.

        Events that are still being worked on are left alone and counted as "in work": erase again later.

        Raises:
            ConfigError: a term is so short that it would match by chance.
        """
        wanted = _Terms(terms)
        changed: Counter[str] = Counter()
        with self._db.write() as tx:
            if tx.dialect.name == "sqlite":  # else what is replaced stays in the file until its place is used
                tx.exec_driver_sql("PRAGMA secure_delete=ON")
            for table, columns in _TABLES.items():
                for row in _candidates(tx, table, columns, wanted):
                    changed[_rewrite(tx, table, row, columns, wanted)] += 1
            positions = [row.position for row in _candidates(tx, audit, _AUDITED, wanted) if row.position]
        changed["audit"] = self._audit.erase(positions, reason, by) if positions else 0
        self._db.empty_log()
        return +changed


class _Terms:
    def __init__(self, terms: Sequence[str]) -> None:
        short = [term for term in terms if len(term.strip()) < SHORTEST]
        if short or not terms:
            raise ConfigError(
                f"Give ids or names of at least {SHORTEST} characters, such as SUP-17 or U0ABC123."
            )
        self.terms = [term.strip() for term in terms]
        self.spellings = sorted({spelt for term in self.terms for spelt in _spellings(term)})
        joined = "|".join(re.escape(spelling) for spelling in sorted(self.spellings, key=len, reverse=True))
        self.pattern = re.compile(rf"(?<![\w-])(?:{joined})(?![\w-])", re.IGNORECASE)

    def within(self, value: Any) -> bool:
        return any(self.pattern.search(text) for text in _strings(value))

    def cleaned(self, value: Any, *, prose: bool) -> Any:
        """With every text that names a term replaced whole; with `prose` all of more than one word."""
        if isinstance(value, str):
            gone = bool(self.pattern.search(value)) or (prose and " " in value.strip())
            return ERASED if gone else value
        if isinstance(value, bytes):
            return b"{}"
        if isinstance(value, dict):
            return {self._key(k): self.cleaned(v, prose=prose) for k, v in value.items()}
        return [self.cleaned(v, prose=prose) for v in value] if isinstance(value, list) else value

    def _key(self, key: str) -> str:
        return ERASED if self.pattern.search(key) else key


def _spellings(term: str) -> Iterator[str]:
    """As it may stand there: an umlaut in one character or two; in small and capital letters, which SQLite
    tells apart beyond ASCII; in JSON as it is, with escapes, and with those that keep HTML harmless.
    """
    for form in ("NFC", "NFD"):
        whole = unicodedata.normalize(form, term)
        for written in (whole, whole.lower(), whole.upper(), whole.title()):
            yield written
            escaped = json.dumps(written)[1:-1]
            yield escaped
            yield escaped.translate(_HTML)
            yield escaped.replace("/", "\\/")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield value.decode("utf-8", "replace")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _candidates(tx: Connection, table: Table, columns: Sequence[str], wanted: _Terms) -> Iterator[Any]:
    """Rows that hold a term. The database narrows them down, the pattern decides."""
    found = or_(*(_contains(tx, table.c[name], s) for name in columns for s in wanted.spellings))
    for row in tx.execute(select(table).where(found)).all():
        if any(wanted.within(getattr(row, name)) for name in columns):
            yield row


def _ascii(bytes_of: Any) -> Any:
    """PostgreSQL's bytes as text that no byte can make invalid, letters in one case."""
    return func.lower(func.encode(bytes_of, "escape"))


def _contains(tx: Connection, column: Column[Any], spelling: str) -> Any:
    if isinstance(column.type, LargeBinary) and tx.dialect.name == "postgresql":
        sought = literal(spelling.encode(), LargeBinary)  # not every body is text
        return func.position(_ascii(sought).op("IN")(_ascii(column))) > 0
    as_text = cast(column, Text) if isinstance(column.type, JSON | LargeBinary) else column
    return as_text.icontains(spelling, autoescape=True)


def _rewrite(tx: Connection, table: Table, row: Any, columns: Sequence[str], wanted: _Terms) -> str:
    """Change one row; the name under which that is counted."""
    if table is events and _in_work(tx, row.id):
        return "in work"
    prose = any(name in columns and wanted.within(getattr(row, name)) for name in _ABOUT)
    values = {name: wanted.cleaned(getattr(row, name), prose=prose) for name in columns}
    if table is messages:
        values |= {"wanted": {"text": ERASED, "blocks": []}, "dirty": 0}
    if table is buttons:
        values["expires_at"] = _LONG_AGO
    for name in {"key", "claim_group"} & values.keys():
        if values[name] == ERASED:
            values[name] = f"{ERASED}-{new_id()}"
    where = and_(*(column == getattr(row, column.name) for column in table.primary_key))
    tx.execute(update(table).where(where).values(**values))
    return str(table.name)


def _in_work(tx: Connection, event_id: str) -> bool:
    busy = exists().where(runs.c.event_id == event_id, runs.c.status.in_(("pending", "leased")))
    return bool(tx.execute(select(busy)).scalar())
