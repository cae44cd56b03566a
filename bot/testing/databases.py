"""Empty databases in memory, made once and then copied: a suite of conformance opens some hundred."""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import Any

from sqlalchemy import event

from bot.core import tables
from bot.core.database import Database

IN_MEMORY = "sqlite://"
_idle: list[_Reused] = []


class _Reused(Database):
    """Closed, it forgets its rows and keeps its engine, whose compiled statements the next one uses again."""

    def __init__(self) -> None:
        super().__init__(IN_MEMORY)
        event.listen(self.engine, "connect", _fill)

    def close(self) -> None:
        super().close()
        _idle.append(self)


def empty_database(url: str) -> Database:
    """One with all tables; any URL of a database that has none yet."""
    if url == IN_MEMORY:
        return _idle.pop() if _idle else _Reused()
    db = Database(url)
    tables.create_all(db.engine)
    return db


def _fill(connection: Any, record: Any) -> None:  # noqa: ARG001  # SQLAlchemy's signature
    connection.deserialize(_image())


@cache
def _image() -> bytes:
    db = Database(IN_MEMORY)
    tables.create_all(db.engine)
    raw = db.engine.raw_connection().driver_connection
    assert isinstance(raw, sqlite3.Connection)  # noqa: S101  # for the type checker
    image = raw.serialize()
    db.close()
    return image
