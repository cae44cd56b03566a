"""Alert groups and their timers: wait, notify, then look again every group interval while alerts remain."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from integrations.sandbox.alertmanager import clock
from integrations.sandbox.alertmanager.alerts import Alert
from integrations.sandbox.alertmanager.labels import Labels
from integrations.sandbox.alertmanager.notify import (
    Sent,
    Timing,
    due,
    group_key,
    group_labels,
    in_order,
    payload,
)
from integrations.sandbox.alertmanager.sender import Sender
from integrations.sandbox.alertmanager.silences import Silences


class Group:
    def __init__(self, labels: dict[str, str]) -> None:
        self.labels = labels
        self.key = group_key(labels)
        self.alerts: dict[str, Alert] = {}
        self.task: asyncio.Task[None] | None = None

    def drop_resolved(self, seen: list[Alert], moment: datetime) -> None:
        """What resolved and was not posted anew since has been told and leaves."""
        for alert in seen:
            if alert.resolved(moment) and self.alerts.get(alert.fingerprint) is alert:
                del self.alerts[alert.fingerprint]


class Dispatcher:
    """`told` is called after each look at a group that may have changed what the page shows."""

    def __init__(
        self, timing: Timing, silences: Silences, sender: Sender, external_url: str, told: Callable[[], None]
    ) -> None:
        self.sent: dict[str, Sent] = {}
        self._timing = timing
        self._silences = silences
        self._sender = sender
        self._external_url = external_url
        self._told = told
        self._groups: dict[str, Group] = {}

    @property
    def groups(self) -> list[Group]:
        return [self._groups[key] for key in sorted(self._groups)]

    def group_of(self, labels: Labels) -> Group | None:
        return self._groups.get(group_key(group_labels(labels)))

    def insert(self, alert: Alert) -> None:
        """A resolved alert joins only a group that knows it firing: nobody is told of what never was."""
        labels = group_labels(alert.labels)
        group = self._groups.get(group_key(labels))
        if group is None:
            if alert.resolved(clock.now()):
                return
            group = self._opened(labels, alert)
        group.alerts[alert.fingerprint] = alert

    async def stop(self) -> None:
        tasks = [group.task for group in self._groups.values() if group.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _opened(self, labels: dict[str, str], alert: Alert) -> Group:
        group = Group(labels)
        self._groups[group.key] = group
        # An alert that is older than the wait (after a restart, say) does not wait once more.
        age = (clock.now() - alert.starts_at).total_seconds()
        wait = 0.0 if age > self._timing.group_wait else self._timing.group_wait
        group.task = asyncio.get_running_loop().create_task(self._live(group, wait))
        return group

    async def _live(self, group: Group, wait: float) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(wait)
        while group.alerts:
            next_look = loop.time() + self._timing.group_interval
            await self._look(group)
            await asyncio.sleep(max(0.0, next_look - loop.time()) if group.alerts else 0.0)
        del self._groups[group.key]

    async def _look(self, group: Group) -> None:
        moment = clock.now()
        seen = in_order(group.alerts.values())
        loud = [alert for alert in seen if not self._silences.silencing(alert.labels, moment)]
        if not loud or await self._notified(group, loud, moment):
            group.drop_resolved(seen, moment)
        self._told()

    async def _notified(self, group: Group, alerts: list[Alert], moment: datetime) -> bool:
        """False when the receiver refused; the group is then tried again at the next interval."""
        resolved = {alert.fingerprint for alert in alerts if alert.resolved(moment)}
        firing = {alert.fingerprint for alert in alerts} - resolved
        repeat = timedelta(seconds=self._timing.repeat_interval)
        if not due(self.sent.get(group.key), firing, resolved, repeat, moment):
            return True
        body = payload(group.labels, alerts, self._external_url, self._timing.max_alerts, moment)
        within = max(self._timing.group_interval, self._timing.min_timeout)
        if not await self._sender.send(body, within):
            return False
        self.sent[group.key] = Sent(at=clock.now(), firing=firing, resolved=resolved)
        return True
