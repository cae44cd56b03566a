"""Plugins that rest because they keep failing, as every process sees them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import delete, select

from bot.core.database import Database
from bot.core.events import utc_now
from bot.core.memory import Documents
from bot.core.tables import documents

_OWNER = "signalbox.pauses"  # no plugin's name has a dot


class Pauses:
    def __init__(self, db: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._documents = Documents(db, _OWNER, clock)

    def begin(self, plugin: str, error: str) -> None:
        self._documents.put(plugin, {"error": error[:500]})

    def end(self, plugin: str) -> None:
        with self._db.write() as tx:
            tx.execute(delete(documents).where(documents.c.plugin == _OWNER, documents.c.key == plugin))

    def all(self) -> dict[str, str]:
        """Why each resting plugin rests, in words."""
        query = select(documents.c.key, documents.c.data, documents.c.updated_at)
        with self._db.read() as tx:
            rows = tx.execute(query.where(documents.c.plugin == _OWNER)).all()
        return {
            row.key: f"It keeps failing and has rested since {row.updated_at:%H:%M:%S} UTC; its events wait. "
            f"Last error: {row.data['error']}"
            for row in rows
        }
