"""The tables of the kernel. Changes go through Alembic (bot/core/migrations).

Times are UTC, stored as integer microseconds since the epoch, so that SQLite and PostgreSQL compare
them alike.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Engine,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)

from bot.core.texts import storable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(instant: datetime) -> int:
    """An aware datetime as microseconds since the epoch."""
    return round((instant - _EPOCH).total_seconds() * 1_000_000)


class Instant(TypeDecorator[datetime]):
    """An aware datetime as microseconds since the epoch."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:  # noqa: ARG002
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        return None if value is None else datetime.fromtimestamp(value / 1_000_000, UTC)


class Words(TypeDecorator[str]):
    """Text from anywhere, as a database takes it."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:  # noqa: ARG002
        return None if value is None else storable(value)


class LongWords(Words):
    impl = Text
    cache_ok = True


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

events = Table(
    "events",
    metadata,
    Column("id", Words(32), primary_key=True),
    Column("source", Words(40), nullable=False),
    Column("kind", Words(80), nullable=False),
    Column("subject", Words(255), nullable=False),
    Column("actor", Words(120), nullable=False, default=""),
    Column("serial", Words(255)),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", Instant, nullable=False),
    Index("ix_events_received_at_kind", "received_at", "kind"),  # with the kind, so that counts read no rows
    Index("ix_events_subject", "subject"),
)

_PENDING = text("status = 'pending'")
_WAITS = text("status = 'pending' AND serial IS NOT NULL")
# One row per (event, handler): each handler has its own attempts, retries and dead letter.
runs = Table(
    "runs",
    metadata,
    Column("id", Words(40), primary_key=True),  # the event's id and a number
    Column("event_id", Words(32), ForeignKey("events.id"), nullable=False, index=True),
    Column("handler", Words(120), nullable=False),
    Column("queue", Words(20), nullable=False),
    Column("status", Words(10), nullable=False),  # pending | leased | done | dead
    Column("attempts", Integer, nullable=False, default=0),
    Column("due_at", Instant, nullable=False),
    Column("owner", Words(64)),
    Column("lease_until", Instant),
    Column("error", LongWords),
    Column("finished_at", Instant),
    Column("serial", Words(255)),  # the event's, to find who waits for it
    Index("ix_runs_status_due_at", "status", "due_at"),
    Index("ix_runs_finished_at", "finished_at"),
    Index("ix_runs_queue_due_at", "queue", "due_at", sqlite_where=_PENDING, postgresql_where=_PENDING),
    Index("ix_runs_serial_id", "serial", "id", sqlite_where=_WAITS, postgresql_where=_WAITS),
)

dedupe = Table(
    "dedupe",
    metadata,
    Column("key", Words(255), primary_key=True),
    Column("event_id", Words(32), nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

serials = Table(
    "serials",
    metadata,
    Column("key", Words(255), primary_key=True),
    Column("run_id", Words(40), nullable=False),
    Column("until", Instant, nullable=False),
)

steps = Table(
    "steps",
    metadata,
    Column("event_id", Words(32), ForeignKey("events.id"), nullable=False),
    Column("name", Words(160), nullable=False),  # "plugin.method/step"
    Column("status", Words(10), nullable=False),  # started | done | failed
    Column("call", Words(120), nullable=False),
    Column("result", JSON),
    Column("error", LongWords),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    PrimaryKeyConstraint("event_id", "name", name="pk_steps"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False, index=True),
    Column("actor", Words(120), nullable=False),
    Column("action", Words(120), nullable=False),
    Column("subject", Words(255), nullable=False, index=True),
    Column("outcome", Words(20), nullable=False),  # done | refused | failed
    Column("before", JSON),
    Column("after", JSON),
    Column("event_id", Words(32), index=True),
    # The hash chain (bot/core/audit_chain.py): place, salt (none once erased), digest of the content, hash.
    Column("position", BigInteger),
    Column("salt", Words(32)),
    Column("digest", Words(64)),
    Column("hash", Words(64)),
    Index("ix_audit_position", "position", unique=True),
)

# One row: the end of the chain. Locking it puts writers in line.
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("hash", Words(64), nullable=False),
)

# Changes, incidents, events and requests as they stand; every version of them is in the audit chain.
service_records = Table(
    "service_records",
    metadata,
    Column("id", Words(32), primary_key=True),
    Column("type", Words(20), nullable=False),
    Column("status", Words(20), nullable=False),
    Column("version", Integer, nullable=False),
    Column("plugin", Words(40), nullable=False),
    Column("key", Words(255), nullable=False),
    Column("event_id", Words(32), index=True),
    Column("opened_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("body", JSON, nullable=False),
    Index("ix_service_records_plugin_key", "plugin", "key", unique=True),
    Index("ix_service_records_type_opened_at", "type", "opened_at"),
)

# Only hashes: the tokens themselves are shown once, when they are made.
api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Words(32), primary_key=True),
    Column("name", Words(80), nullable=False),
    Column("scope", Words(10), nullable=False),
    Column("hash", Words(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Column("used_at", Instant),
)

# Tokens are sealed (bot/core/sealing.py) with a key that is not in the database.
slack_installations = Table(
    "slack_installations",
    metadata,
    Column("team", Words(40), primary_key=True),
    Column("name", Words(120), nullable=False),
    Column("enterprise", Words(40), nullable=False),
    Column("bot_user", Words(40), nullable=False),
    Column("scopes", LongWords, nullable=False),
    Column("token", LargeBinary, nullable=False),
    Column("installed_by", Words(120), nullable=False),
    Column("installed_at", Instant, nullable=False),
)

buttons = Table(
    "buttons",
    metadata,
    Column("id", Words(32), primary_key=True),
    Column("plugin", Words(40), nullable=False),
    Column("action", Words(80), nullable=False),
    Column("label", Words(80), nullable=False),
    Column("args", JSON, nullable=False),
    Column("claim_group", Words(255), nullable=False),
    Column("once", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

# One row per group of buttons that was pressed: the compare-and-set that makes a click count once.
claims = Table(
    "claims",
    metadata,
    Column("claim_group", Words(255), primary_key=True),
    Column("button_id", Words(32), nullable=False),
    Column("event_id", Words(32), nullable=False, index=True),
    Column("user_id", Words(40), nullable=False),
    Column("label", Words(80), nullable=False),
    Column("status", Words(10), nullable=False),  # running | done
    Column("outcome", LongWords, nullable=False, default=""),
    Column("claimed_at", Instant, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("key", Words(255), primary_key=True),
    Column("channel", Words(40), nullable=False),
    Column("ts", Words(40)),
    Column("thread_ts", Words(40)),  # where its first post belongs, for a message that lives in a thread
    Column("wanted", JSON, nullable=False),
    Column("wanted_at", Instant, nullable=False),
    Column("sent_hash", Words(64)),
    Column("dirty", Integer, nullable=False, default=0),
    Column("sender", Words(32)),  # who sends it right now, and until when that word counts
    Column("sender_until", Instant),
    Index("ix_messages_channel_ts", "channel", "ts"),
    Index("ix_messages_dirty", "dirty"),
)

# What plugins remember: append-only records, and small documents with compare-and-set.
records = Table(
    "records",
    metadata,
    Column("id", Words(32), primary_key=True),
    Column("plugin", Words(40), nullable=False),
    Column("kind", Words(40), nullable=False),
    Column("subject", Words(255), nullable=False),
    Column("event_id", Words(32)),
    Column("at", Instant, nullable=False),
    Column("data", JSON, nullable=False),
    Index("ix_records_plugin_kind_at", "plugin", "kind", "at"),
    Index("ix_records_plugin_kind_subject", "plugin", "kind", "subject"),
)

documents = Table(
    "documents",
    metadata,
    Column("plugin", Words(40), nullable=False),
    Column("key", Words(255), nullable=False),
    Column("version", Integer, nullable=False),
    Column("data", JSON, nullable=False),
    Column("updated_at", Instant, nullable=False),
    PrimaryKeyConstraint("plugin", "key", name="pk_documents"),
)

schedules = Table(
    "schedules",
    metadata,
    Column("handler", Words(120), primary_key=True),
    Column("last_due_at", Instant, nullable=False),
    Column("paused", Integer, nullable=False, default=0),
)


def create_all(engine: Engine) -> None:
    """Create the tables without migrations; for throw-away databases in tests."""
    metadata.create_all(engine)
