"""What an Alertmanager is made of, wired together: alerts, silences, groups and notifications."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, Field

from integrations.sandbox.alertmanager import clock
from integrations.sandbox.alertmanager.alerts import Alert, Alerts, PartlyRefused
from integrations.sandbox.alertmanager.dispatch import Dispatcher
from integrations.sandbox.alertmanager.labels import Matcher, matches_all
from integrations.sandbox.alertmanager.notify import RECEIVER, Sent, Timing
from integrations.sandbox.alertmanager.sender import Sender
from integrations.sandbox.alertmanager.silences import Silence, Silences

Json = dict[str, Any]


class State(BaseModel):
    """What outlives a restart. Alerts do not, as in Alertmanager: their sender posts them again."""

    silences: list[Silence] = Field(default_factory=list)
    sent: dict[str, Sent] = Field(default_factory=dict)


class Filters(BaseModel):
    """The query parameters of `GET /alerts` and `/alerts/groups`."""

    matchers: list[Matcher] = Field(default_factory=list)
    receiver: str | None = None
    active: bool = True
    silenced: bool = True


class Engine:
    def __init__(self, timing: Timing, sender: Sender, external_url: str, told: Callable[[], None]) -> None:
        self.timing = timing
        self.started_at = clock.now()
        self.silences = Silences()
        self.sender = sender
        self._alerts = Alerts(timedelta(seconds=timing.resolve_timeout))
        self._dispatcher = Dispatcher(timing, self.silences, sender, external_url, told)
        self._told = told

    def restore(self, state: State) -> None:
        self.silences.restore(state.silences)
        self._dispatcher.sent = dict(state.sent)

    def state(self) -> State:
        return State(silences=self.silences.all(), sent=self._dispatcher.sent)

    async def start(self) -> None:
        self.started_at = clock.now()
        await self.sender.start()

    async def stop(self) -> None:
        await self._dispatcher.stop()
        await self.sender.stop()

    def post(self, posted: list[Json]) -> None:
        moment = clock.now()
        self._alerts.forget_old(moment)
        try:
            taken = self._alerts.put(posted, moment)
        except PartlyRefused as refused:
            self._insert(refused.taken)
            raise
        self._insert(taken)

    def silence(self, body: Json) -> str:
        silence_id = self.silences.put(body, clock.now())
        self._told()
        return silence_id

    def expire(self, silence_id: str) -> None:
        self.silences.expire(silence_id, clock.now())
        self._told()

    def alerts(self, filters: Filters) -> list[Json]:
        if not _ours(filters):
            return []
        moment = clock.now()
        return [self._bean(a, moment) for a in self._alerts.firing(moment) if self._shown(a, filters, moment)]

    def groups(self, filters: Filters) -> list[Json]:
        """Groups without an alert that fits are left out."""
        if not _ours(filters):
            return []
        moment = clock.now()
        beans = [
            {
                "alerts": self._beans(list(group.alerts.values()), filters, moment),
                "labels": group.labels,
                "receiver": {"name": RECEIVER},
            }
            for group in self._dispatcher.groups
        ]
        return [bean for bean in beans if bean["alerts"]]

    def _insert(self, alerts: list[Alert]) -> None:
        for alert in alerts:
            self._dispatcher.insert(alert)
        self._told()

    def _beans(self, alerts: list[Alert], filters: Filters, moment: datetime) -> list[Json]:
        firing = [alert for alert in alerts if not alert.resolved(moment)]
        ordered = sorted(firing, key=lambda alert: alert.fingerprint)
        return [self._bean(alert, moment) for alert in ordered if self._shown(alert, filters, moment)]

    def _shown(self, alert: Alert, filters: Filters, moment: datetime) -> bool:
        wanted = filters.silenced if self.silences.silencing(alert.labels, moment) else filters.active
        return wanted and matches_all(filters.matchers, alert.labels)

    def _bean(self, alert: Alert, moment: datetime) -> Json:
        silenced_by = self.silences.silencing(alert.labels, moment)
        bean: Json = {
            "annotations": alert.annotations,
            "endsAt": clock.milliseconds(alert.ends_at),
            "fingerprint": alert.fingerprint,
            "receivers": [{"name": RECEIVER}],
            "startsAt": clock.milliseconds(alert.starts_at),
            "status": {
                "inhibitedBy": [],
                "silencedBy": silenced_by,
                "state": "suppressed" if silenced_by else "active",
            },
            "updatedAt": clock.milliseconds(alert.updated_at),
            "labels": alert.labels,
        }
        return bean | {"generatorURL": alert.generator_url} if alert.generator_url else bean


def _ours(filters: Filters) -> bool:
    return filters.receiver is None or re.fullmatch(filters.receiver, RECEIVER) is not None
