"""What to show to whom: decisions over values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Literal

from bot.core.declare import Handler
from bot.core.registry import PluginStatus
from bot.plugin import Health

_MENTION = re.compile(r"<@((?:[TE][A-Z0-9]+/)?[A-Z0-9]+)(?:\|[^>]*)?>")
_RANK = {"down": 0, "degraded": 1, "ok": 2}


@dataclass(frozen=True, slots=True)
class Condition:
    """How one plugin is doing."""

    name: str
    status: Literal["ok", "degraded", "down"]
    detail: str = ""


def usable(commands: Iterable[Handler], allowed: Callable[[str | None], bool]) -> dict[str, list[Handler]]:
    """The commands that somebody may use, by plugin."""
    mine = [handler for handler in commands if allowed(handler.declaration.permission)]
    mine.sort(key=lambda handler: (handler.plugin != "core", handler.plugin, handler.declaration.match))
    return {plugin: list(group) for plugin, group in groupby(mine, key=lambda handler: handler.plugin)}


def worst_first(conditions: Iterable[Condition]) -> list[Condition]:
    return sorted(conditions, key=lambda c: (_RANK[c.status], c.name))


def condition_of(name: str, health: Health) -> Condition:
    return Condition(name, health.status, health.detail)


def not_loaded(report: Iterable[PluginStatus]) -> list[PluginStatus]:
    return [status for status in report if status.status == "refused"]


def words(text: str) -> list[str]:
    """What was said besides mentions, in lower case."""
    return _MENTION.sub(" ", text).lower().split()


def user_id(text: str) -> str:
    """The user id in a mention as Slack writes it, or the text itself."""
    found = _MENTION.fullmatch(text)
    return found[1] if found else text.removeprefix("@")


def span(seconds: float) -> str:
    """A duration in the largest unit that says enough."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 120 else str(timedelta(minutes=minutes))[:-3] + " h"
