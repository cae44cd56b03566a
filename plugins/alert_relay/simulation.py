"""Where past groups would go under other settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from bot.core.memory import Record
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.routing.maintenance import covering


class Way(NamedTuple):
    """What the settings do with a group at one time; `calls` is the on-call entry, empty for nobody."""

    channel: str
    calls: str
    quiet: bool
    maintenance: str


class Past(NamedTuple):
    """A group that fired; `channel` is where it went then."""

    title: str
    severity: str
    labels: Mapping[str, str]
    channel: str
    at: datetime


class Change(NamedTuple):
    past: Past
    before: Way
    after: Way


class Outcome(NamedTuple):
    groups: int
    changes: tuple[Change, ...]

    def by_way(self) -> list[tuple[str, int]]:
        """What changes, in words, the most frequent first."""
        return Counter(_difference(c.before, c.after) for c in self.changes).most_common()


def way(config: AlertRelayConfig, past: Past) -> Way:
    route = config.route_for(past.labels)
    hours = config.quiet_for(route)
    planned = covering(config.maintenance, past.labels, past.at)
    calls = config.escalates_after(route) is not None and not planned
    return Way(
        channel=route.channel or config.channel,
        calls=(route.oncall or config.escalate_to) if calls else "",
        quiet=hours is not None and hours.until(past.severity, past.at) is not None,
        maintenance=planned.name if planned else "",
    )


def compare(past: Iterable[Past], before: AlertRelayConfig, after: AlertRelayConfig) -> Outcome:
    """What other settings would do differently."""
    groups = list(past)
    ways = [Change(group, way(before, group), way(after, group)) for group in groups]
    return Outcome(len(groups), tuple(change for change in ways if change.before != change.after))


def since(past: Iterable[Past], config: AlertRelayConfig) -> Outcome:
    """What went elsewhere then than it would go now."""
    groups = list(past)
    ways = ((group, way(config, group)) for group in groups)
    moved = (Change(group, now._replace(channel=group.channel), now) for group, now in ways)
    return Outcome(len(groups), tuple(change for change in moved if change.before != change.after))


def read(fired: Iterable[Record]) -> Iterator[Past]:
    """Past groups from the records; those from before labels were noted tell nothing."""
    for record in fired:
        data = record.data
        if "labels" in data:
            yield Past(data["title"], data["severity"], data["labels"], data["channel"], record.at)


def _difference(before: Way, after: Way) -> str:
    parts = []
    if before.channel != after.channel:
        parts.append(f"{before.channel} → {after.channel}")
    if before.calls != after.calls:
        parts.append(f"calls {before.calls or 'nobody'} → {after.calls or 'nobody'}")
    if before.quiet != after.quiet:
        parts.append("waits in quiet hours" if after.quiet else "no longer waits in quiet hours")
    if before.maintenance != after.maintenance:
        planned = after.maintenance
        parts.append(f"in the maintenance {planned}" if planned else f"out of {before.maintenance}")
    return ", ".join(parts)
