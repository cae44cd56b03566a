"""Means and sums over spells; pure."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from bot.core.memory import Record
from plugins.alert_relay.incidents.incident import Incident
from plugins.alert_relay.stats.spells import Spell

_VERDICTS = {"succeeded": "succeeded", "failed": "failed", "unknown": "unknown"}


class Spread(NamedTuple):
    """Seconds; None where there was nothing to measure."""

    number: int
    mean: float | None
    median: float | None
    worst: float | None


class Downtime(NamedTuple):
    """Seconds in which at least one group that counts fired for a service, in a month such as 2026-03."""

    service: str
    month: str
    seconds: float


class Success(NamedTuple):
    """Runs of one mitigation by what verification said of them."""

    mitigation: str
    succeeded: int
    failed: int
    unknown: int

    @property
    def rate(self) -> float | None:
        """Of the runs with a verdict."""
        judged = self.succeeded + self.failed
        return self.succeeded / judged if judged else None


class Figures(NamedTuple):
    since: datetime
    until: datetime
    service: str
    groups: int
    alerts: int
    incidents: int
    detect: Spread
    acknowledge: Spread
    mitigate: Spread
    resolve: Spread
    inferred_ends: int
    untouched: int
    downtime: tuple[Downtime, ...]
    mitigations: tuple[Success, ...]
    days: tuple[tuple[str, int, int], ...]
    """Groups that fired and incidents that opened, by day."""

    @property
    def noise(self) -> float | None:
        """Alerts per incident."""
        return self.alerts / self.incidents if self.incidents else None

    def availability(self) -> dict[str, float]:
        """Share of the time in which a service was not down, for those that were."""
        total = (self.until - self.since).total_seconds()
        lost: dict[str, float] = defaultdict(float)
        for entry in self.downtime:
            lost[entry.service] += entry.seconds
        return {service: 1 - seconds / total for service, seconds in lost.items()}


def make(
    spells: Sequence[Spell],
    incidents: Sequence[Incident],
    runs: Iterable[Record],
    *,
    since: datetime,
    until: datetime,
    service: str = "",
    severities: Collection[str],
) -> Figures:
    """Figures of the time from `since` to `until`; of one service when it is named."""
    ours = [s for s in spells if not service or s.service == service]
    fresh = [s for s in ours if s.noticed >= since]
    known = {spell.group for spell in ours}
    opened = [i for i in incidents if since <= i.opened_at <= until and (not service or _concerns(i, known))]
    return Figures(
        since=since,
        until=until,
        service=service,
        groups=len(fresh),
        alerts=sum(spell.alerts for spell in fresh),
        incidents=len(opened),
        detect=_spread((s.noticed - s.began) for s in fresh),
        acknowledge=_spread((s.acked - s.started) for s in fresh if s.acked),
        mitigate=_spread((s.mitigated - s.started) for s in fresh if s.mitigated),
        resolve=_spread((s.ended - s.started) for s in fresh if s.ended),
        inferred_ends=sum(spell.end_inferred for spell in fresh),
        untouched=sum(not spell.touched for spell in fresh),
        downtime=tuple(_downtime(ours, since, until, severities)),
        mitigations=tuple(success(runs, service)),
        days=tuple(_days(fresh, opened, since, until)),
    )


def _concerns(incident: Incident, groups: Collection[str]) -> bool:
    return any(member.key in groups for member in incident.members)


def _spread(found: Iterable[timedelta]) -> Spread:
    seconds = [max(0.0, delta.total_seconds()) for delta in found]
    if not seconds:
        return Spread(0, None, None, None)
    return Spread(len(seconds), statistics.fmean(seconds), statistics.median(seconds), max(seconds))


def _downtime(
    spells: Iterable[Spell], since: datetime, until: datetime, severities: Collection[str]
) -> Iterator[Downtime]:
    """Overlapping spells of a service count once; planned ones not at all."""
    by_service: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for spell in spells:
        start, end = max(spell.started, since), min(spell.ended or until, until)
        if spell.severity in severities and not spell.planned and start < end:
            by_service[spell.service].append((start, end))
    for service, found in sorted(by_service.items()):
        months: dict[str, float] = defaultdict(float)
        for start, end in _united(found):
            for month, seconds in _by_month(start, end):
                months[month] += seconds
        yield from (Downtime(service, month, seconds) for month, seconds in sorted(months.items()))


def _united(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    united: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return united


def _by_month(start: datetime, end: datetime) -> Iterator[tuple[str, float]]:
    while start < end:
        following = (
            start.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)
        ).replace(day=1)
        part = min(end, following)
        yield f"{start:%Y-%m}", (part - start).total_seconds()
        start = part


def success(runs: Iterable[Record], service: str = "") -> Iterator[Success]:
    """Each run by its newest verdict: what a person said of an unknown one counts."""
    newest: dict[str, tuple[str, str]] = {}
    for record in runs:  # newest first
        verdict = _VERDICTS.get(str(record.data.get("status")))
        if verdict and (not service or record.data.get("service") == service):
            newest.setdefault(str(record.data["run"]), (str(record.data["mitigation"]), verdict))
    counted = Counter(newest.values())
    for name in sorted({name for name, _ in counted}):
        yield Success(name, *(counted[name, verdict] for verdict in _VERDICTS))


def _days(
    spells: Sequence[Spell], incidents: Sequence[Incident], since: datetime, until: datetime
) -> Iterator[tuple[str, int, int]]:
    groups = Counter(spell.noticed.date() for spell in spells)
    opened = Counter(incident.opened_at.date() for incident in incidents)
    day = since.date()
    while day <= until.date():
        yield day.isoformat(), groups[day], opened[day]
        day += timedelta(days=1)
