"""A database that comes out of an archive knows nothing of what was done since the archive was made.

So nothing of it may be done as if it were still to be done: what was open then is set aside for a person to
look at, and schedules go on from now.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update

from bot.core.database import Database
from bot.core.tables import messages, runs, schedules, serials


def settle(db: Database, made_at: datetime, now: datetime) -> int:
    """Returns how many runs were open and are dead letters now."""
    reason = (
        f"This was open when the backup of {made_at:%Y-%m-%d %H:%M} UTC was made, and may have been done "
        "since. Look at what came of it, then replay it if nothing did."
    )
    aside = {"status": "dead", "error": reason, "finished_at": now, "owner": None, "lease_until": None}
    with db.write() as tx:
        still_open = update(runs).where(runs.c.status.in_(("pending", "leased")))
        found = tx.execute(still_open.values(**aside)).rowcount
        tx.execute(serials.delete())
        tx.execute(update(messages).values(sender=None, sender_until=None))
        tx.execute(update(schedules).values(last_due_at=now))
    return found
