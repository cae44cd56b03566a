"""Silences as values: how long, how broad, and which one people should be told about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bot.plugin import Alert, AlertGroup, Matcher, Refused, Silence
from plugins.alert_relay.state import GroupState, Silenced

SPANS = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
}
MORNING, RESOLVED = "morning", "resolved"
SHARE_FROM = 20  # a share of a handful of alerts says nothing
LONGEST_PATTERN = 200
_MATCHER = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*(.*?)\s*")


def ends_at(choice: str, now: datetime, *, morning: time, zone: str, resolved: timedelta) -> datetime:
    """When a silence ends that is chosen as `15m`, `morning` and the like."""
    if choice == MORNING:
        return _next(morning, now, ZoneInfo(zone))
    return now + (resolved if choice == RESOLVED else SPANS[choice])


def _next(at: time, now: datetime, zone: ZoneInfo) -> datetime:
    local = now.astimezone(zone)
    today = datetime.combine(local.date(), at, zone)
    found = today if today > local else datetime.combine(local.date() + timedelta(days=1), at, zone)
    return found.astimezone(now.tzinfo)


def of_group(labels: Mapping[str, str]) -> tuple[Matcher, ...]:
    """Matchers that fit this group and no broader one; empty values would match what lacks the label."""
    return tuple(Matcher(name=name, value=value) for name, value in sorted(labels.items()) if value)


def parse(text: str) -> tuple[Matcher, ...]:
    """Matchers written one a line, as `service=checkout` or `instance=~web-.*`."""
    return tuple(_parse(line) for line in text.splitlines() if line.strip())


def _parse(line: str) -> Matcher:
    found = _MATCHER.fullmatch(line)
    if found is None:
        raise Refused(
            f"{line.strip()[:80]!r} is not a condition on a label. Write one a line, for example "
            "service=checkout or instance=~web-.*; nothing was silenced.",
            check="matchers",
        )
    name, operator, value = found.groups()
    regex = operator in {"=~", "!~"}
    if regex:
        _check_pattern(value)
    return Matcher(name=name, value=value, is_regex=regex, is_equal=operator in {"=", "=~"})


def _check_pattern(value: str) -> None:
    if len(value) > LONGEST_PATTERN:
        raise Refused(
            f"A regular expression of {len(value)} characters is too long, {LONGEST_PATTERN} are allowed; "
            "nothing was silenced. Silence in several steps.",
            check="matchers",
        )
    try:
        re.compile(value)
    except re.error as exc:
        raise Refused(
            f"{value[:80]!r} is not a regular expression: {exc}; nothing was silenced.", check="matchers"
        ) from exc


def written(matchers: Iterable[Matcher]) -> str:
    """Matchers as people write them, one a line."""
    return "\n".join(f"{m.name}{_operator(m)}{m.value}" for m in matchers)


def _operator(matcher: Matcher) -> str:
    if matcher.is_regex:
        return "=~" if matcher.is_equal else "!~"
    return "=" if matcher.is_equal else "!="


class Breadth(NamedTuple):
    """What matchers would mute now; `beyond` counts alerts outside of the group they were chosen for."""

    muted: int
    beyond: int
    total: int
    services: int


def breadth(matchers: Sequence[Matcher], groups: Iterable[AlertGroup], group_key: str) -> Breadth:
    found = {(alert.fingerprint): (alert, group.key) for group in groups for alert in group.alerts}
    own = {alert.fingerprint for group in groups if group.key == group_key for alert in group.alerts}
    muted = [alert for alert, _ in found.values() if all(m.fits(alert.labels) for m in matchers)]
    beyond = sum(alert.fingerprint not in own for alert in muted)
    services = {alert.labels.get("service") or alert.labels.get("job") or "" for alert in muted}
    return Breadth(len(muted), beyond, len(found), len(services))


def check_matchers(matchers: Sequence[Matcher]) -> None:
    """Refuse what would mute everything, now and in future."""
    if all(matcher.fits({}) for matcher in matchers):
        raise Refused(
            "These labels would mute every alert, also those to come: nothing was silenced. "
            "Name at least one label with a value; a group without labels needs group_by in "
            "Alertmanager's route.",
            check="breadth",
        )


def check_breadth(found: Breadth, *, most: int, share: float) -> None:
    """Refuse what reaches too far beyond the group that the person looks at."""
    part = found.muted / found.total if found.total >= SHARE_FROM else 0.0
    if found.beyond and (found.beyond > most or part > share):
        raise Refused(
            f"This would mute {found.muted} of {found.total} alerts of {found.services} services, "
            f"{found.beyond} of them outside this group; the limit is {most} alerts and {share:.0%} of all. "
            "Nothing was silenced: add a label, or raise max_silenced_alerts.",
            check="breadth",
        )


def on_group(
    known: Silenced | None, alerts: Sequence[Alert], silences: Sequence[Silence] | None, now: datetime
) -> Silenced | None:
    """The silence to show, by what Alertmanager says; what was known, if it could not be asked."""
    if silences is None:
        return known if known is not None and known.until > now else None
    mine = {i for alert in alerts for i in alert.silenced_by} | ({known.id} if known else set())
    active = [s for s in silences if s.id in mine and s.state == "active" and s.ends_at and s.ends_at > now]
    longest = max(active, key=lambda s: (s.ends_at or now, s.id), default=None)
    return _shown(known, longest, alerts, now) if longest is not None else None


def _shown(known: Silenced | None, found: Silence, alerts: Sequence[Alert], now: datetime) -> Silenced:
    """As Alertmanager has it now; what only we know about it is kept while its end is the same."""
    until = found.ends_at or now
    same = known is not None and known.id == found.id
    return Silenced(
        id=found.id,
        until=known.until if known and same and abs(known.until - until) < timedelta(seconds=1) else until,
        by=found.created_by,
        comment=readable(found.comment),
        whole=all(a.is_muted or _fits(found, a) for a in alerts),
        until_resolved=bool(known and same and known.until_resolved),
        warned=bool(known and same and known.warned and known.until >= until),
    )


def _fits(silence: Silence, alert: Alert) -> bool:
    return bool(silence.matchers) and all(matcher.fits(alert.labels) for matcher in silence.matchers)


def unexplained(label: str, name: str) -> str:
    """Alertmanager wants a comment, also for a silence of one click."""
    return f"{label} pressed by {name}"


def readable(comment: str) -> str:
    """What a person wrote: without the key that we put at its end, and nothing for one click."""
    found = re.sub(r"\s*\[[0-9a-f]{32}\]$", "", comment)[:200]
    return "" if re.fullmatch(unexplained("(Silence|Extend).*", ".*"), found) else found


def idle(silences: Iterable[Silence], groups: Iterable[AlertGroup]) -> set[str]:
    """Ids of the active silences that mute nothing now."""
    used = {i for group in groups for alert in group.alerts for i in alert.silenced_by}
    return {silence.id for silence in silences if silence.state == "active"} - used


def ends_soon(state: GroupState, now: datetime, notice: timedelta) -> bool:
    """Whether the maker of a silence made here should hear that it ends while the group still fires."""
    held = state.silenced
    if held is None or held.warned or held.until_resolved or not held.by.startswith("slack:"):
        return False
    return state.status == "firing" and now >= held.until - notice
