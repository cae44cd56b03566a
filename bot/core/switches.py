"""Plugins that somebody has switched off, as every process sees them within seconds; no restart is needed.

While one is off, people who call it are told who switched it off; what the clock would start is left out; all
other events wait, and are worked on when it is on again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete

from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.errors import Refused, Throttled
from bot.core.events import Click, Command, Payload, Shortcut, Submission, utc_now
from bot.core.memory import Documents
from bot.core.tables import documents

ALWAYS_ON = "core"
_OWNER = "signalbox.switches"  # no plugin's name has a dot
_KNOWN_SECONDS = 2.0
"""So long a process trusts what it has read."""
_WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Off:
    plugin: str
    by: str
    since: datetime
    why: str

    @property
    def words(self) -> str:
        reason = f": {self.why}" if self.why else ""
        return (
            f"The plugin {self.plugin} was switched off by {self.by} on {self.since:%d %b %H:%M} UTC{reason}"
        )


class Switches:
    def __init__(self, db: Database, audit: Audit, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._audit = audit
        self._clock = clock
        self._documents = Documents(db, _OWNER, clock)
        self._known: dict[str, Off] = {}
        self._until = 0.0

    def require_switchable(self, plugin: str) -> None:
        if plugin == ALWAYS_ON:
            raise Refused(f"{plugin} switches the others on again, so it stays on.")

    def turn_off(self, plugin: str, by: str, why: str = "") -> Off:
        """Raises Refused for the plugin that switches the others on again."""
        self.require_switchable(plugin)
        self._documents.put(plugin, {"by": by, "why": why[:300]})
        self._audit.record(by, "plugin.off", plugin, after={"why": why[:300]})
        self._until = 0.0
        return self.all()[plugin]

    def turn_on(self, plugin: str, by: str) -> bool:
        """Whether it was off."""
        with self._db.write() as tx:
            query = delete(documents).where(documents.c.plugin == _OWNER, documents.c.key == plugin)
            was_off = tx.execute(query).rowcount > 0
        if was_off:
            self._audit.record(by, "plugin.on", plugin)
        self._until = 0.0
        return was_off

    def all(self) -> dict[str, Off]:
        if time.monotonic() >= self._until:
            found = self._documents.having("")
            self._known = {d.key: Off(d.key, d.data["by"], d.updated_at, d.data["why"]) for d in found}
            self._until = time.monotonic() + _KNOWN_SECONDS
        return self._known

    def check(self, plugin: str, payload: Payload) -> None:
        """Raises Refused, with words for the person who asks, or Throttled: the event waits."""
        off = self.all().get(plugin)
        if off is None:
            return
        if isinstance(payload, Command | Click | Submission | Shortcut):
            raise Refused(
                f"{off.words}. An admin can enable it with `plugins enable {plugin}`.", check="plugin-off"
            )
        raise Throttled(f"{off.words}; this event waits for it.", retry_after=_WAIT_SECONDS)

    def is_off(self, plugin: str) -> bool:
        return plugin in self.all()
