"""How long what came in is kept: finished events go with their runs and steps, a few at a time."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import and_, delete, exists, or_, select

from bot.core.database import Database
from bot.core.settings import RetentionSettings
from bot.core.tables import events, records, runs, steps

BATCH = 500


def prune(db: Database, settings: RetentionSettings, now: datetime, batch: int = BATCH) -> int:
    """Forget events, then plugins' facts, that are older than the settings say; how many went."""
    gone = 0
    if settings.events_days:
        gone += _prune_events(db, settings, now, batch)
    if settings.records_days:
        before = now - timedelta(days=settings.records_days)
        old = select(records.c.id).where(records.c.at < before).order_by(records.c.at).limit(batch)
        with db.write(durable=False) as tx:
            gone += tx.execute(delete(records).where(records.c.id.in_(old.scalar_subquery()))).rowcount
    return gone


def _prune_events(db: Database, settings: RetentionSettings, now: datetime, batch: int) -> int:
    """What waits, is worked on, or is a dead letter that somebody may still look at stays."""
    before = now - timedelta(days=settings.events_days)
    dead_since = now - timedelta(days=max(settings.dead_days, settings.events_days))
    kept = exists().where(
        runs.c.event_id == events.c.id,
        or_(
            runs.c.status.in_(("pending", "leased")),
            and_(runs.c.status == "dead", events.c.received_at >= dead_since),
        ),
    )
    query = select(events.c.id).where(events.c.received_at < before, ~kept)
    with db.read() as tx:
        old = list(tx.execute(query.order_by(events.c.received_at).limit(batch)).scalars())
    if not old:
        return 0
    with db.write(durable=False) as tx:
        for table, column in ((steps, steps.c.event_id), (runs, runs.c.event_id), (events, events.c.id)):
            tx.execute(delete(table).where(column.in_(old)))
    return len(old)
