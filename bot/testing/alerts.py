"""An Alertmanager in memory: groups that a test sets, silences that plugins make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from bot.core.errors import Permanent
from bot.core.events import Alert, AlertGroup
from bot.core.ports import Matcher, Silence, idempotent
from bot.testing.faults import Faulty


def _silenced(alert: Alert, active: Iterable[Silence]) -> Alert:
    ids = [s.id for s in active if s.matchers and all(m.fits(alert.labels) for m in s.matchers)]
    return alert.model_copy(update={"silenced_by": (*alert.silenced_by, *ids)}) if ids else alert


class FakeAlerts(Faulty):
    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__("alerts")
        self._clock = clock
        self._groups: tuple[AlertGroup, ...] = ()
        self._silences: dict[str, Silence] = {}

    def set(self, groups: Iterable[AlertGroup]) -> None:
        """What Alertmanager holds from now on: groups with at least one firing alert."""
        self._groups = tuple(groups)

    def put(self, silence: Silence) -> None:
        """Make or change a silence elsewhere, as somebody does in Alertmanager's own page."""
        self._silences[silence.id] = silence

    def groups(self) -> Sequence[AlertGroup]:
        with self._call("groups", writes=False):
            return tuple(self._muted(group) for group in self._groups)

    def silences(self) -> Sequence[Silence]:
        with self._call("silences", writes=False):
            return tuple(self._present(silence) for silence in self._silences.values())

    def _present(self, silence: Silence) -> Silence:
        over = silence.ends_at is not None and silence.ends_at <= self._clock()
        return silence.model_copy(update={"state": "expired"}) if over else silence

    def _muted(self, group: AlertGroup) -> AlertGroup:
        active = [s for s in map(self._present, self._silences.values()) if s.state == "active"]
        return group.model_copy(update={"alerts": tuple(_silenced(a, active) for a in group.alerts)})

    def silence(
        self,
        *,
        matchers: tuple[Matcher, ...],
        ends_at: datetime,
        created_by: str,
        comment: str,
        step_key: str,
    ) -> Silence:
        with self._call(
            "silence",
            matchers=matchers,
            ends_at=ends_at,
            created_by=created_by,
            comment=comment,
            step_key=step_key,
        ):
            if ends_at <= self._clock():
                raise Permanent("Alertmanager refused the silence: it would end in the past.")
            if not any(matcher.value for matcher in matchers):
                raise Permanent("Alertmanager refused the silence: at least one matcher must be non-empty.")
            self._silences[step_key] = Silence(
                id=f"silence-{step_key[:8]}",
                matchers=matchers,
                starts_at=self._clock(),
                ends_at=ends_at,
                created_by=created_by,
                comment=f"{comment} [{step_key}]",
            )
            return self._silences[step_key]

    def reconcile_silence(self, *, step_key: str, **_: Any) -> Silence | None:
        return self._silences.get(step_key)

    @idempotent
    def expire(self, *, silence_id: str, step_key: str) -> None:
        with self._call("expire", silence_id=silence_id, step_key=step_key):
            for key, silence in self._silences.items():
                if silence.id == silence_id:
                    self._silences[key] = silence.model_copy(
                        update={"state": "expired", "ends_at": self._clock()}
                    )
