"""Changes that a command of `signalbox` makes by itself: recorded as the product's own are.

It needs the database only, not the whole product: a model is promoted where it was trained.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.events import utc_now
from bot.core.service_desk import Changes
from bot.core.service_ledger import Circumstances, ServiceLedger
from bot.core.service_models import RecordActor
from bot.core.settings import Settings


@dataclass(frozen=True, slots=True)
class Desk:
    """`me` is who typed the command."""

    me: str
    changes: Changes
    audit: Audit


def me() -> str:
    return f"cli:{getpass.getuser()}"


@contextmanager
def desk(settings: Settings, plugin: str) -> Iterator[Desk]:
    """Where a plugin's changes are recorded.

    Raises:
        Transient: the database does not answer.
    """
    db = Database(settings.resolved_database_url())
    try:
        db.migrate()
        audit = Audit(db)
        ledger = ServiceLedger(db, audit, utc_now, settings.environment)
        by = Circumstances(plugin, RecordActor.of(me()))
        yield Desk(me(), Changes(ledger, by, settings.records.templates, utc_now), audit)
    finally:
        db.close()
