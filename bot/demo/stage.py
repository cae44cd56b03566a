"""Where a made-up history is written: at moments of the past, and the same at each time."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import insert

from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.events import Payload, new_id
from bot.core.memory import Documents, Records
from bot.core.tables import events, runs, steps

EVENTS_KEPT = timedelta(days=14)
"""Older events would have been forgotten; what became of them stands in the records."""
PEOPLE = ("U0SBALICE", "U0SBBOB00", "U0SBCAROL")
"""The sandbox's people."""
_SEED = 7
_QUICK = timedelta(milliseconds=80)


class Effect(NamedTuple):
    """A step that was done: its name, and the port's method that it called."""

    name: str
    call: str


class _Audited(NamedTuple):
    at: datetime
    actor: str
    action: str
    subject: str
    after: Any
    event_id: str | None


class Stage:
    """The installation as plugins see it that make up a past.

    Attributes:
        now: where the history ends.
        chance: the same numbers each time.
    """

    def __init__(self, db: Database, now: datetime, data_dir: Path, seed: int = _SEED) -> None:
        self.db = db
        self.now = now
        self.data_dir = data_dir
        self.chance = random.Random(seed)  # noqa: S311  # made up, no secret
        self._audited: list[_Audited] = []

    def records(self, plugin: str, at: datetime, event_id: str | None = None) -> Records:
        return Records(self.db, plugin, event_id, _stands_at(at))

    def documents(self, plugin: str, at: datetime) -> Documents:
        return Documents(self.db, plugin, _stands_at(at))

    def event(
        self,
        at: datetime,
        kind: str,
        subject: str,
        handler: str,
        *,
        payload: Payload | None = None,
        actor: str = "",
        effects: Sequence[Effect] = (),
        dead: str = "",
    ) -> str | None:
        """Something that came in then and was handled, or was given up with the words `dead`; its id."""
        if self.now - at > EVENTS_KEPT:
            return None
        event_id = f"{int(at.timestamp() * 1000):012x}{new_id()[12:]}"  # ids are in order of time
        ended = at + _QUICK * (1 + len(effects)) * self.chance.uniform(0.6, 3)
        event = {
            "id": event_id, "source": kind.partition(".")[0], "kind": kind, "subject": subject[:255],
            "actor": actor, "body": (payload or Payload()).model_dump_json().encode(), "received_at": at,
        }  # fmt: skip
        run = {
            "id": f"{event_id}-0", "event_id": event_id, "handler": handler, "queue": "io",
            "status": "dead" if dead else "done", "attempts": 5 if dead else 1, "due_at": at,
            "error": dead or None, "finished_at": ended,
        }  # fmt: skip
        done = [
            {
                "event_id": event_id, "name": f"{handler}/{effect.name}", "status": "done",
                "call": effect.call, "started_at": at + number * _QUICK,
                "finished_at": at + number * _QUICK + _QUICK * self.chance.uniform(0.3, 0.9),
            }
            for number, effect in enumerate(effects, 1)
        ]  # fmt: skip
        with self.db.write(durable=False) as tx:  # all at once: no worker may find it waiting
            tx.execute(insert(events).values(**event))
            tx.execute(insert(runs).values(**run))
            for step in done:
                tx.execute(insert(steps).values(**step))
        return event_id

    def audit(
        self,
        at: datetime,
        actor: str,
        action: str,
        subject: str,
        *,
        after: Any = None,
        event_id: str | None = None,
    ) -> None:
        """Written down when all is told: the trail is in order of time."""
        self._audited.append(_Audited(at, actor, action, subject, after, event_id))

    def close(self) -> None:
        with self.db.write() as tx:
            for row in sorted(self._audited, key=lambda row: row.at):
                trail = Audit(self.db, _stands_at(row.at))
                trail.append(tx, row.actor, row.action, row.subject, after=row.after, event_id=row.event_id)
        self._audited.clear()


def _stands_at(at: datetime) -> Callable[[], datetime]:
    return lambda: at
