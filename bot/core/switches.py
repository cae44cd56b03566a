"""Plugins that somebody has switched off, as every process sees them within seconds; no restart is needed.

While one is off, people who call it are told who switched it off; what the clock would start is left out; all
other events wait, and are worked on when it is on again. Whoever switches, and wherever: it is an emergency
change, recorded here, to be reviewed afterwards.
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
from bot.core.events import Click, Command, Payload, Shortcut, Submission, new_id, utc_now
from bot.core.memory import Document, Documents
from bot.core.service_desk import Changes
from bot.core.service_ledger import Circumstances, ServiceLedger
from bot.core.service_models import Change, ConfigurationItem, RecordActor
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
    change: str = ""
    """Id of its change record."""

    @property
    def words(self) -> str:
        reason = f": {self.why}" if self.why else ""
        return (
            f"The plugin {self.plugin} was switched off by {self.by} on {self.since:%d %b %H:%M} UTC{reason}"
        )


class Switches:
    def __init__(
        self, db: Database, audit: Audit, ledger: ServiceLedger, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._db = db
        self._audit = audit
        self._ledger = ledger
        self._clock = clock
        self._documents = Documents(db, _OWNER, clock)
        self._known: dict[str, Off] = {}
        self._until = 0.0

    def require_switchable(self, plugin: str) -> None:
        if plugin == ALWAYS_ON:
            raise Refused(f"{plugin} switches the others on again, so it stays on.")

    def turn_off(self, plugin: str, by: str, why: str = "", event_id: str | None = None) -> Off:
        """Raises Refused for the plugin that switches the others on again.

        Asked for once more by the same event, it is the same change.
        """
        self.require_switchable(plugin)
        changes = self._changes(by, event_id)
        change = self._proposed(changes, plugin, on=False, why=why[:300], event_id=event_id)
        with changes.carrying_out(change.id):
            self._documents.put(plugin, {"by": by, "why": why[:300], "change": change.id})
            self._audit.record(by, "plugin.off", plugin, after={"why": why[:300]})
        self._until = 0.0
        return self.all()[plugin]

    def turn_on(self, plugin: str, by: str, why: str = "", event_id: str | None = None) -> str:
        """The id of the change; empty when it was on."""
        if self._documents.get(plugin) is None:
            return ""
        changes = self._changes(by, event_id)
        change = self._proposed(changes, plugin, on=True, why=why[:300], event_id=event_id)
        with changes.carrying_out(change.id):
            with self._db.write() as tx:
                tx.execute(delete(documents).where(documents.c.plugin == _OWNER, documents.c.key == plugin))
            self._audit.record(by, "plugin.on", plugin)
        self._until = 0.0
        return change.id

    def _changes(self, by: str, event_id: str | None) -> Changes:
        circumstances = Circumstances(ALWAYS_ON, RecordActor.of(by), event_id)
        return Changes(self._ledger, circumstances, (), self._clock)

    def _proposed(self, changes: Changes, plugin: str, *, on: bool, why: str, event_id: str | None) -> Change:
        word, back = ("on", "disable") if on else ("off", "enable")
        return changes.propose(
            "emergency",
            f"Switch the plugin {plugin} {word}",
            key=f"switch/{event_id or new_id()}",
            reason=why or "No reason was given.",
            plan=f"Switch {plugin} {word}; every process obeys within seconds.",
            backout_plan=f"`/signalbox plugins {back} {plugin}` or `signalbox plugins {back} {plugin}`",
            items=[ConfigurationItem(type="config", name=f"plugin {plugin}")],
            before={"on": not on},
            after={"on": on},
        )

    def all(self) -> dict[str, Off]:
        if time.monotonic() >= self._until:
            found = self._documents.having("")
            self._known = {d.key: _off(d) for d in found}
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


def _off(found: Document) -> Off:
    data = found.data
    return Off(found.key, data["by"], found.updated_at, data["why"], data.get("change", ""))
