"""Each time that a group fired, from its first alert to its end, with what people did about it."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from bot.core.memory import Record, Records

_MOST = 200_000
_LONGEST = timedelta(days=60)
_ACTS = ("ack", "silence", "assign", "ticket", "mitigation")


class Spell(NamedTuple):
    """`began` is when the condition became true: startsAt less the rule's `for`, so it is inferred.

    `ended` is None while it fires; `end_inferred` says that it was seen at a poll, not told.
    """

    group: str
    title: str
    severity: str
    service: str
    began: datetime
    started: datetime
    noticed: datetime
    ended: datetime | None
    end_inferred: bool
    planned: bool
    alerts: int
    acked: datetime | None
    mitigated: datetime | None
    touched: bool


def read(records: Records, since: datetime, holds: Mapping[str, float]) -> list[Spell]:
    """Spells that overlap the time from `since` to now, oldest first.

    `holds` has the seconds of `for` by the rule's name, as Prometheus has them now.
    """
    fired = records.find("fired", since=since - _LONGEST, limit=_MOST)
    after = {
        kind: _by_group(records.find(kind, since=since - _LONGEST, limit=_MOST))
        for kind in ("resolved", *_ACTS)
    }
    starts = _by_group(fired)
    found = [
        _spell(record, _next(starts[record.subject], record), after, holds)
        for record in reversed(fired)
        if "started_at" in record.data
    ]
    return [spell for spell in found if spell.ended is None or spell.ended >= since]


def _spell(
    fired: Record,
    next_at: datetime | None,
    after: Mapping[str, Mapping[str, Sequence[Record]]],
    holds: Mapping[str, float],
) -> Spell:
    data, labels = fired.data, fired.data["labels"]
    started = min(datetime.fromisoformat(data["started_at"]), fired.at)
    within = {
        kind: _between(groups.get(fired.subject, ()), fired.at, next_at) for kind, groups in after.items()
    }
    resolved = next(iter(within["resolved"]), None)
    hold = timedelta(seconds=holds.get(labels.get("alertname", ""), 0.0))
    return Spell(
        group=fired.subject,
        title=data["title"],
        severity=data["severity"],
        service=labels.get("service") or labels.get("job") or "",
        began=started - hold,
        started=started,
        noticed=fired.at,
        ended=max(started, datetime.fromisoformat(resolved.data["resolved_at"])) if resolved else None,
        end_inferred=bool(resolved and resolved.data["inferred"]),
        planned=bool(data["planned"]),
        alerts=int((resolved or fired).data["alerts"]),
        acked=next((record.at for record in within["ack"]), None),
        mitigated=next((r.at for r in within["mitigation"] if r.data.get("status") == "succeeded"), None),
        touched=any(within[kind] for kind in _ACTS),
    )


def _by_group(newest_first: Iterable[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for record in newest_first:
        found[record.subject].append(record)
    for records in found.values():
        records.reverse()
    return found


def _next(starts: Sequence[Record], record: Record) -> datetime | None:
    """When the same group fired again."""
    place = bisect.bisect_right(starts, record.at, key=lambda r: r.at)
    return starts[place].at if place < len(starts) else None


def _between(records: Sequence[Record], start: datetime, end: datetime | None) -> Sequence[Record]:
    first = bisect.bisect_left(records, start, key=lambda r: r.at)
    last = bisect.bisect_left(records, end, key=lambda r: r.at) if end else len(records)
    return records[first:last]
