"""Plays scenarios as Prometheus would: joins alerts over time and posts them again while they fire."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from integrations.sandbox.alertmanager import clock
from integrations.sandbox.alertmanager.scenarios import Joining, Scenario

Post = Callable[[list[dict[str, Any]]], None]

REPOST_S = 60.0
# Prometheus gives an end four evaluations ahead, so that alerts resolve when it dies.
END_AHEAD = timedelta(seconds=4 * REPOST_S)


def due(scenario: Scenario, since: datetime, moment: datetime) -> list[Joining]:
    return [alert for alert in scenario.alerts if since + timedelta(seconds=alert.after_s) <= moment]


def posted(alert: Joining, since: datetime, ends_at: datetime) -> dict[str, Any]:
    return {
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": (since + timedelta(seconds=alert.after_s)).isoformat(),
        "endsAt": ends_at.isoformat(),
        "generatorURL": alert.generator_url,
    }


class Player:
    """`firing` tells since when each running scenario fires."""

    def __init__(self, post: Post) -> None:
        self.firing: dict[str, datetime] = {}
        self._post = post
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def fire(self, scenario: Scenario, since: datetime | None = None) -> None:
        """Firing what already fires changes nothing."""
        if scenario.name in self._tasks:
            return
        self.firing[scenario.name] = since or clock.now()
        self._advance(scenario)
        self._tasks[scenario.name] = asyncio.get_running_loop().create_task(self._play(scenario))

    def resolve(self, scenario: Scenario) -> None:
        task = self._tasks.pop(scenario.name, None)
        if task is None:
            return
        task.cancel()
        since, moment = self.firing.pop(scenario.name), clock.now()
        self._post([posted(alert, since, moment) for alert in due(scenario, since, moment)])

    async def stop(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _play(self, scenario: Scenario) -> None:
        joins = sorted({alert.after_s for alert in scenario.alerts if alert.after_s})
        for after_s in joins:
            await self._until(self.firing[scenario.name] + timedelta(seconds=after_s))
            self._advance(scenario)
        while True:
            await asyncio.sleep(REPOST_S)
            self._advance(scenario)

    async def _until(self, moment: datetime) -> None:
        await asyncio.sleep(max(0.0, (moment - clock.now()).total_seconds()))

    def _advance(self, scenario: Scenario) -> None:
        since, moment = self.firing[scenario.name], clock.now()
        self._post([posted(alert, since, moment + END_AHEAD) for alert in due(scenario, since, moment)])
