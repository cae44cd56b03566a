"""Whether so much waits for the workers that senders who try again had better do so later."""

from __future__ import annotations

import asyncio

import structlog

from bot.core.errors import Transient
from bot.core.inbox import Inbox

log = structlog.get_logger()
_EVERY_SECONDS = 2.0


class Backlog:
    """Args:
    most: runs that may wait; 0: no limit.
    """

    def __init__(self, inbox: Inbox, most: int) -> None:
        self._inbox = inbox
        self._most = most
        self.is_full = False

    async def watch(self) -> None:
        """Look every few seconds, until cancelled; a look must not cost a delivery anything."""
        while self._most:
            try:
                self._note(await asyncio.to_thread(self._inbox.backlog, self._most + 1))
            except Transient as exc:
                log.warning("backlog.not_counted", error=str(exc), effect="nobody is sent away for it")
                self.is_full = False
            await asyncio.sleep(_EVERY_SECONDS)

    def _note(self, waiting: int) -> None:
        is_full = waiting > self._most
        if is_full != self.is_full:
            log.warning("backlog.full" if is_full else "backlog.room", waiting=waiting, most=self._most)
        self.is_full = is_full
