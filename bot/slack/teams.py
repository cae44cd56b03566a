"""Which workspace a delivery is from, and what Slack says when one throws the app out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from bot.core.errors import BadDelivery
from bot.core.installations import Installations

log = structlog.get_logger()
KNOWN_SECONDS = 2.0
_REMOVALS = {"app_uninstalled", "tokens_revoked"}


class Teams:
    """Args:
    home: team id of the home workspace; empty: there is only one, and all that comes is from there.
    """

    def __init__(self, home: str, installations: Installations) -> None:
        self._home = home
        self._installations = installations
        self._known: frozenset[str] = frozenset()
        self._until = 0.0

    async def prefix(self, team: str) -> str | None:
        """What qualifies ids of a workspace: nothing at home, its team id elsewhere; None: not installed."""
        if not self._home or team == self._home:
            return ""
        if team not in self._known or time.monotonic() > self._until:
            self._known = await asyncio.to_thread(self._installations.teams)
            self._until = time.monotonic() + KNOWN_SECONDS
        return team if team in self._known else None

    async def removed(self, body: Mapping[str, Any], team: str) -> bool:
        """Forget a workspace when that is what an event says; whether it was such an event.

        Raises:
            BadDelivery: the event lacks what its type promises.
        """
        event = body.get("event") if body.get("type") == "event_callback" else None
        if not isinstance(event, Mapping) or str(event.get("type")) not in _REMOVALS:
            return False
        try:
            if event["type"] == "tokens_revoked" and not event["tokens"].get("bot"):
                return True  # somebody's own token, of signing in
            # Slack tells whole seconds, and tells again for hours: by then the app may be back.
            until = datetime.fromtimestamp(int(body["event_time"]) + 1, UTC)
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError, OSError) as exc:
            raise BadDelivery(f"Slack's payload lacks what its type promises: {exc!r}.") from exc
        forgotten = await asyncio.to_thread(self._installations.forget, team, "slack", until=until)
        self._known -= {team}
        log.warning("slack.removed", team=team, event_type=event["type"], forgotten=forgotten is not None)
        return True
