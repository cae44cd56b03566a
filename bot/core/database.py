"""The database: SQLite (WAL) when embedded, PostgreSQL in production."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.pool import StaticPool

from bot.core.errors import Transient
from bot.core.texts import storable_json

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_SECONDS = 10
_NO_SUCH_TABLE = "42P01"
_MIGRATION_LOCK, _MIGRATION_PAUSE = 7_445_668, 0.2


class DatabaseRefused(Transient):
    """It is away, locked or full. Its words name places and people that a stranger need not know."""


class Storage(Protocol):
    """What stores are made on: a database, or one transaction of it."""

    @property
    def engine(self) -> Engine: ...

    def read(self) -> AbstractContextManager[Connection]: ...

    def write(self, *, durable: bool = True) -> AbstractContextManager[Connection]: ...


class Joined:
    """One open transaction as a storage: what is written through it is committed with it, or not at all."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.engine = connection.engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        yield self._connection

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:  # noqa: ARG002  # the transaction's own
        yield self._connection


class Database:
    """An engine whose `write()` is one transaction that takes the write lock at once.

    SQLite's default, a read lock upgraded on the first write, fails at once instead of waiting when
    two writers meet; BEGIN IMMEDIATE waits its turn.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """One transaction, on disk when the block has ended.

        With `durable=False` a power cut, and nothing less, may undo it (never out of order). That spares a
        sync where doing the work once more does no harm: a lease, a result that can be asked for again.
        """
        engine = self.engine if durable else self.engine.execution_options(signalbox_durable=False)
        with _translated(self.engine), engine.begin() as connection:
            yield connection

    @contextmanager
    def exclusive(self, name: str, *, durable: bool = True) -> Iterator[Joined]:
        """One transaction that no other process has under the same name at the same time.

        SQLite has one writer at a time anyway; PostgreSQL waits for an advisory lock.
        """
        with self.write(durable=durable) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name}
                )
            yield Joined(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        engine = self.engine.execution_options(signalbox_read=True)
        with _translated(self.engine), engine.connect() as connection:
            yield connection

    def migrate(self) -> None:
        """Bring the schema to the newest version; a new installation's folder is made.

        A newer version's schema is left as it is: migrations only add, so this version works with it too,
        while the processes of both stand side by side.
        """
        if self.engine.url.get_backend_name() == "sqlite" and self.engine.url.database:
            Path(self.engine.url.database).parent.mkdir(parents=True, exist_ok=True)
        if self._revision() >= newest_revision():
            return
        # Alembic costs a tenth of a start and 8 MiB, and hardly any start has something to migrate.
        from alembic import command as alembic  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        with self._migrating_alone(), self.engine.connect() as connection:
            if self._revision() >= newest_revision():
                return
            config.attributes["connection"] = connection
            alembic.upgrade(config, "head")
            connection.commit()

    @contextmanager
    def _migrating_alone(self) -> Iterator[None]:
        """Nodes that start together on PostgreSQL migrate one after the other.

        Who waits asks again and again: a query that waited would hold a snapshot, and an index that is built
        beside the writers waits until those are gone.
        """
        if self.engine.dialect.name != "postgresql":
            yield
            return
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as lock:
            while not lock.execute(text(f"SELECT pg_try_advisory_lock({_MIGRATION_LOCK})")).scalar():
                time.sleep(_MIGRATION_PAUSE)
            try:
                yield
            finally:
                lock.execute(text(f"SELECT pg_advisory_unlock({_MIGRATION_LOCK})"))

    def empty_log(self) -> None:
        """SQLite's write-ahead log keeps what was replaced until it is written over."""
        if self.engine.dialect.name != "sqlite":
            return
        connection = self.engine.raw_connection()  # outside of a transaction, or it is refused
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()

    def is_newest(self) -> bool:
        """Whether the schema is the one that this program works with."""
        return self._revision() == newest_revision()

    def _revision(self) -> str:
        """The schema's, empty before the first."""
        with self.read() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return ""
            return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() or "")

    def close(self) -> None:
        self.engine.dispose()


def newest_revision() -> str:
    """Revisions are numbered, and the names of their files begin with the number."""
    return max(file.name for file in (_MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]


@contextmanager
def _translated(engine: Engine) -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as exc:
        raise _refused(engine, exc) from exc
    except ProgrammingError as exc:
        # Somebody emptied it to restore a backup; SQLite reports that as one of the above.
        if getattr(exc.orig, "sqlstate", "") != _NO_SUCH_TABLE:
            raise
        raise _refused(engine, exc) from exc


def _refused(engine: Engine, exc: DBAPIError) -> DatabaseRefused:
    where = engine.url.render_as_string(hide_password=True)
    return DatabaseRefused(f"The database {where} refused ({exc.orig}); it is tried again.")


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
        engine = create_engine(
            url, json_serializer=storable_json, pool_pre_ping=True, pool_size=5, max_overflow=10
        )
        event.listen(engine, "begin", _begin_postgresql)
        return engine
    options: dict[str, Any] = {
        "connect_args": {"timeout": _BUSY_SECONDS, "check_same_thread": False},
        "json_serializer": storable_json,
    }
    if url in {"sqlite://", "sqlite:///:memory:"}:
        options["poolclass"] = StaticPool
    engine = create_engine(url, **options)
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, record: Any) -> None:  # noqa: ARG001  # SQLAlchemy's signature
    connection.isolation_level = None  # we emit BEGIN ourselves
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get("signalbox_read"):
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if _is_durable(connection) else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_postgresql(connection: Connection) -> None:
    if not _is_durable(connection):
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")


def _is_durable(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("signalbox_durable", True))
