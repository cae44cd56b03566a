"""What is true about an alert group, from what was delivered, what Alertmanager says and what was known.

A notification is a hint: it may be late, doubled or out of order. An alert is the pair of fingerprint and
start; it goes from firing to resolved and never back. So a delivery is news only if it has an alert that
was unknown, started later, or ended since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bot.plugin import Alert, AlertGroup, Matcher
from plugins.alert_relay import card
from plugins.alert_relay.state import GroupState, Mark, Silenced, Status

KEPT_MARKS = 2000


def current(delivered: AlertGroup, listed: Sequence[AlertGroup] | None) -> tuple[AlertGroup, bool]:
    """The group as it is now, and whether Alertmanager itself says so.

    What Alertmanager lists is firing (or silenced); what it does not list has ended. A group that is
    not listed at all is taken as delivered: the notification may come from another Alertmanager.
    """
    live = next((group for group in listed or () if group.key == delivered.key), None)
    if live is None:
        return delivered, False
    firing = {alert.fingerprint for alert in live.alerts}
    ended = tuple(_ended(alert) for alert in delivered.alerts if alert.fingerprint not in firing)
    return (
        live.model_copy(
            update={
                "alerts": (*live.alerts, *ended),
                "external_url": delivered.external_url,
                "group_labels": delivered.group_labels,
                "common_labels": live.common_labels or delivered.common_labels,
                "common_annotations": live.common_annotations or delivered.common_annotations,
            }
        ),
        True,
    )


def _ended(alert: Alert) -> Alert:
    return alert.model_copy(update={"status": "resolved"})


def is_news(group: AlertGroup, marks: Mapping[str, Mark]) -> bool:
    return any(_is_newer(alert, marks.get(alert.fingerprint)) for alert in group.alerts)


def _is_newer(alert: Alert, known: Mark | None) -> bool:
    if known is None or alert.starts_at > known.starts_at:
        return True
    return alert.starts_at == known.starts_at and alert.status == "resolved" and known.status == "firing"


def is_heartbeat(group: AlertGroup, name: str) -> bool:
    return group.group_labels.get("alertname", group.common_labels.get("alertname")) == name


def advance(
    known: GroupState | None,
    group: AlertGroup,
    *,
    now: datetime,
    channel: str,
    shown: int,
    confirmed: bool,
    reopen: timedelta,
    event_id: str,
) -> GroupState | None:
    """The next state, or None when the delivery tells nothing new."""
    if known is not None and known.event_id == event_id:
        return known
    if known is not None and not confirmed and not is_news(group, known.marks):
        return None
    names = card.names(group)
    started = min((a.starts_at for a in group.firing()), default=None)
    base = _opened(known, group, channel, started or now, now, reopen)
    resolved_at = None if group.firing() else _end(group, base, now)
    newest = card.make(group, names, base.marks, shown=shown, confirmed=confirmed, now=now)
    if base == known and known.confirmed == confirmed and card.same(newest, known.card):
        return None
    return base.model_copy(
        update={
            "card": newest,
            "status": "firing" if group.firing() else "resolved",
            "resolved_at": resolved_at,
            "confirmed": confirmed or base.confirmed,
            "marks": _marks(group, names, base.marks),
            "event_id": event_id,
        }
    )


def _opened(
    known: GroupState | None,
    group: AlertGroup,
    channel: str,
    started: datetime,
    now: datetime,
    reopen: timedelta,
) -> GroupState:
    """The episode that the group is in: the known one, or a new one when it fires again much later."""
    if known is None:
        return GroupState(
            key=group.key,
            channel=channel,
            labels=group.group_labels,
            card=card.EMPTY,
            status="firing",
            started_at=started,
        )
    if known.status == "resolved" and group.firing() and now - (known.resolved_at or now) > reopen:
        return known.model_copy(
            update={
                "episode": known.episode + 1,
                "channel": channel,
                "started_at": started,
                "silences": 0,
                "silenced": None,
                "marks": {f: m for f, m in known.marks.items() if m.status == "resolved"},
            }
        )
    return expire_silence(known, now)


def expire_silence(state: GroupState, now: datetime) -> GroupState:
    """A silence that ran out makes room for another one."""
    if state.silenced is None or state.silenced.until > now:
        return state
    return state.model_copy(update={"silenced": None, "silences": state.silences + 1})


def _end(group: AlertGroup, base: GroupState, now: datetime) -> datetime:
    ends = [alert.ends_at for alert in group.alerts if alert.ends_at is not None]
    found = max(ends, default=base.resolved_at or now)
    return max(found, base.started_at)


def _marks(group: AlertGroup, names: Mapping[str, str], known: Mapping[str, Mark]) -> dict[str, Mark]:
    """Newest marks last; what is not mentioned any more has ended, unless the list was cut short."""
    gone = {
        f: m if group.truncated else m.model_copy(update={"status": "resolved"}) for f, m in known.items()
    }
    now = {a.fingerprint: _mark(a, names, known.get(a.fingerprint)) for a in group.alerts}
    merged = {**{f: m for f, m in gone.items() if f not in now}, **now}
    return dict(list(merged.items())[-KEPT_MARKS:])


def _mark(alert: Alert, names: Mapping[str, str], known: Mark | None) -> Mark:
    if known is not None and known.starts_at > alert.starts_at:
        return known
    status: Status = "resolved" if alert.status == "resolved" else "firing"
    return Mark(status=status, starts_at=alert.starts_at, name=names.get(alert.fingerprint, ""))


def reconciled(
    known: GroupState | None, live: AlertGroup | None, *, now: datetime, shown: int, event_id: str
) -> GroupState | None:
    """The state by what Alertmanager lists now; None when it agrees with what is shown."""
    if known is None or known.status == "resolved" or not known.confirmed:
        return None
    if known.event_id == event_id:
        return known
    if live is None:
        return _closed(known, now, event_id)
    base = expire_silence(known, now)
    group = live.model_copy(update={"group_labels": known.labels})
    names = card.names(group)
    newest = card.make(group, names, base.marks, shown=shown, confirmed=True, now=now)
    # Links of the notification are richer than those of the list.
    newest = newest.model_copy(
        update={"links": newest.links if len(newest.links) > len(base.card.links) else base.card.links}
    )
    if base == known and card.same(newest, known.card):
        return None
    return base.model_copy(
        update={"card": newest, "marks": _marks(group, names, base.marks), "event_id": event_id}
    )


def _closed(state: GroupState, now: datetime, event_id: str) -> GroupState:
    """Alertmanager no longer lists the group, and nobody told us that it ended."""
    return state.model_copy(
        update={
            "status": "resolved",
            "resolved_at": now,
            "marks": {f: m.model_copy(update={"status": "resolved"}) for f, m in state.marks.items()},
            "card": card.ended(state.card),
            "event_id": event_id,
        }
    )


def matchers(labels: Mapping[str, str]) -> tuple[Matcher, ...]:
    """Matchers that fit this group and no broader one; empty values would match what lacks the label."""
    return tuple(Matcher(name=name, value=value) for name, value in sorted(labels.items()) if value)


def silenced(
    known: GroupState | None, silence_id: str, until: datetime, user: str, event_id: str
) -> GroupState | None:
    if known is None:
        return None
    made = Silenced(id=silence_id, until=until, by=user)
    return (
        known if known.silenced == made else known.model_copy(update={"silenced": made, "event_id": event_id})
    )


def facts(before: GroupState | None, after: GroupState) -> list[str]:
    """What happened between two states, for the statistics."""
    was_firing = before is not None and before.status == "firing"
    if after.status == "firing":
        return [] if was_firing and before and before.episode == after.episode else ["fired"]
    return ["resolved"] if was_firing or before is None else []
