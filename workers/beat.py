"""The rhythm of the workers, kept by a steady clock.

Celery's own scheduler goes by the time of day: when that goes back by hours, it sends nothing for as long.
Nothing is remembered over a restart, because every task here looks for itself at what is due.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any, NoReturn, cast

import structlog
from celery import schedules
from celery.beat import ScheduleEntry, Scheduler, Service
from celery.signals import beat_init
from redis import Redis
from redis.exceptions import RedisError

log = structlog.get_logger()
QUEUE = "control"
MOST_WAITING = 50
"""Tasks in the queue beyond which no worker seems to be there; more of the same would not help."""


class SteadyScheduler(Scheduler):  # type: ignore[misc]
    """Sends each task once in its interval, unless too many wait already.

    Args:
        schedule_filename: touched in every round, for health checks.
    """

    def __init__(self, *args: Any, schedule_filename: str = "", **kwargs: Any) -> None:
        self._due_at: dict[str, float] = {}
        self._sign = Path(schedule_filename) if schedule_filename else None
        self._full = False
        self.ends = False
        super().__init__(*args, **kwargs)

    def _when(self, entry: ScheduleEntry, next_time_to_run: float, mktime: Any = None) -> float:  # noqa: ARG002
        return time.monotonic() + (self.adjust(next_time_to_run) or 0)

    def is_due(self, entry: ScheduleEntry) -> schedules.schedstate:
        every, now = entry.schedule.run_every.total_seconds(), time.monotonic()
        left = self._due_at.get(entry.name, now) - now
        if left > 0:
            return schedules.schedstate(is_due=False, next=left)
        self._due_at[entry.name] = now + every
        return schedules.schedstate(is_due=True, next=every)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """How long to wait for the next round: not at all when there is none."""
        interval: float = super().tick(*args, **kwargs)
        return 0.0 if self.ends else interval

    def apply_async(self, entry: ScheduleEntry, *args: Any, **kwargs: Any) -> Any:
        is_full = self._is_full()
        self._note(is_full)
        return None if is_full else super().apply_async(entry, *args, **kwargs)

    def _note(self, is_full: bool) -> None:  # noqa: FBT001  # one fact, said by its name
        if is_full and not self._full:
            log.warning("beat.full", queue=QUEUE, effect="no worker, or a slow one: nothing is added")
        self._full = is_full
        if self._sign:
            self._sign.touch()

    def _is_full(self) -> bool:
        try:
            with Redis.from_url(
                self.app.conf.broker_url, socket_timeout=2, socket_connect_timeout=2
            ) as client:
                return cast(int, client.llen(QUEUE)) >= MOST_WAITING
        except RedisError:
            return False  # the sending itself tells


@beat_init.connect  # type: ignore[untyped-decorator]
def end_when_told(sender: Service, **_: Any) -> None:
    """Celery's handler only raises SystemExit, and one in the midst of a read may be lost.

    The Redis client then finds its connection closed and says so with another exception, which counts as a
    task that could not be sent.
    """

    def end(*_: object) -> NoReturn:
        sender.scheduler.ends = True
        sender.stop()
        raise SystemExit

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
