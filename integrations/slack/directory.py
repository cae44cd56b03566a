"""Who and what there is in the workspace: channels by name, user groups by member. Cached for a minute."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from bot.core.errors import Permanent
from bot.slack.ids import qualified

CACHE_SECONDS = 60.0
Call = Callable[..., Any]


class Directory:
    """Args:
    call: makes a budgeted Web API call: `call("conversations.list", **arguments)`.
    team: empty for the home workspace.
    """

    def __init__(self, call: Call, team: str = "") -> None:
        self._call = call
        self._team = team
        self._cached: dict[str, tuple[float, Any]] = {}

    def channel_id(self, channel: str) -> str:
        """The id of `#name`; an id is returned as it is."""
        if not channel.startswith("#"):
            return channel
        channels: dict[str, str] = self._remember("channels", self._channels)
        found = channels.get(channel[1:])
        if found is None:
            raise Permanent(
                f"There is no channel {qualified(self._team, channel)} that the bot can see: "
                "create it or invite the bot."
            )
        return found

    def groups_of(self, user_id: str) -> frozenset[str]:
        groups: dict[str, frozenset[str]] = self._remember("groups", self._groups)
        return groups.get(user_id, frozenset())

    def _channels(self) -> dict[str, str]:
        names: dict[str, str] = {}
        cursor = ""
        while True:
            page = self._call("conversations.list", limit=500, cursor=cursor, exclude_archived=True)
            names |= {channel["name"]: channel["id"] for channel in page["channels"] if channel.get("name")}
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return names

    def _groups(self) -> dict[str, frozenset[str]]:
        members: defaultdict[str, set[str]] = defaultdict(set)
        for group in self._call("usergroups.list", include_users=True)["usergroups"]:
            for user in group.get("users") or ():
                members[user].add(group["handle"])
        return {user: frozenset(handles) for user, handles in members.items()}

    def _remember(self, name: str, load: Callable[[], Any]) -> Any:
        until, value = self._cached.get(name, (0.0, None))
        if time.monotonic() > until:
            value = load()
            self._cached[name] = (time.monotonic() + CACHE_SECONDS, value)
        return value
