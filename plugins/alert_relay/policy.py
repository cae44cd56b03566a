"""What is true about an alert group, from what was delivered, what Alertmanager says and what was known.

A notification is a hint: it may be late, doubled or out of order. An alert is the pair of fingerprint and
start; it goes from firing to resolved and never back. So a delivery is news only if it has an alert that
was unknown, started later, or ended since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from bot.plugin import Alert, AlertGroup, Silence
from plugins.alert_relay import card, history, silencing
from plugins.alert_relay.state import Acked, GroupState, Mark, Others, Pending, Silenced, Status, TicketLink

KEPT_MARKS = 2000
STALE_REQUEST = timedelta(minutes=30)


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
    silences: Sequence[Silence] | None = None,
    escalate_after: timedelta | None = None,
) -> GroupState | None:
    """The next state, or None when the delivery tells nothing new."""
    if known is not None and known.event_id == event_id:
        return known
    if known is not None and not confirmed and not is_news(group, known.marks):
        return None
    names = card.names(group)
    started = min((a.starts_at for a in group.firing()), default=None)
    base = _opened(known, group, channel, started or now, now, reopen)
    base = _started(known, base, group, now, escalate_after)
    base = with_silence(base, group, silences, now)
    resolved_at = None if group.firing() else _end(group, base, now)
    newest = card.make(group, names, base.marks, shown=shown, confirmed=confirmed, now=now)
    if base == known and known.confirmed == confirmed and card.same(newest, known.card):
        return None
    return base.model_copy(
        update={
            "card": newest,
            "routing": {**group.common_labels, **group.group_labels},
            "status": "firing" if group.firing() else "resolved",
            "resolved_at": resolved_at,
            "end_inferred": False,
            "confirmed": confirmed or base.confirmed,
            "source": group.external_url or base.source,
            "marks": _marks(group, names, base.marks),
            "event_id": event_id,
        }
    )


def severity_of(group: AlertGroup) -> str:
    """The worst that fires."""
    return card.worst(group.firing())


def opens(known: GroupState | None, group: AlertGroup, now: datetime, reopen: timedelta) -> bool:
    """Whether the group begins a new message: its first, or one long after the last has ended."""
    if not group.firing():
        return False
    return known is None or (known.status == "resolved" and now - (known.resolved_at or now) > reopen)


def is_untold(known: GroupState | None, group: AlertGroup, before: datetime) -> bool:
    """Whether a listed group fires for some time, or again, and no notification said so.

    What is muted from the start is no news: Alertmanager would not tell it either.
    """
    loud = [alert for alert in group.firing() if not alert.is_muted]
    if not loud or (known is not None and known.status == "firing"):
        return False
    return known is not None or min(alert.starts_at for alert in loud) <= before


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
    if opens(known, group, now, reopen):
        return known.model_copy(
            update={
                "episode": known.episode + 1,
                "channel": channel,
                "started_at": started,
                "silences": 0,
                "silenced": None,
                "pending": {},
                "acked": None,
                "assignee": "",
                "ticket": None,
                "history": (),
                "has_csv": False,
                "ref": None,
                "thread": None,
                "incident": "",
                "others": Others(),
                "held": "",
                "maintenance": None,
                "shown_at": None,
                "slowed": False,
                "marks": {f: m for f, m in known.marks.items() if m.status == "resolved"},
            }
        )
    return known


def _started(
    known: GroupState | None,
    base: GroupState,
    group: AlertGroup,
    now: datetime,
    escalate_after: timedelta | None,
) -> GroupState:
    """A group that starts firing needs somebody anew: whoever acknowledged it had seen its end."""
    if not group.firing() or (known is not None and known.status == "firing"):
        return base
    due = now + escalate_after if escalate_after is not None else None
    starts = history.started(base, now)
    return base.model_copy(
        update={"acked": None, "escalate_at": due, "escalations": 0, "fired": starts, "resolved_at": None}
    )


def with_silence(
    state: GroupState, group: AlertGroup, silences: Sequence[Silence] | None, now: datetime
) -> GroupState:
    """The silence by Alertmanager's present state; one that is over makes room for another."""
    found = silencing.on_group(state.silenced, group.firing(), silences, now)
    if found == state.silenced:
        return state
    freed = state.silenced is not None and state.silenced.whole and not (found and found.whole)
    return state.model_copy(update={"silenced": found, "silences": state.silences + freed})


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
    known: GroupState | None,
    live: AlertGroup | None,
    *,
    now: datetime,
    shown: int,
    event_id: str,
    silences: Sequence[Silence] | None,
    sources: AbstractSet[str] = frozenset(),
) -> GroupState | None:
    """The state by what Alertmanager lists now; None when it agrees with what is shown.

    A group that it never listed may come from another Alertmanager, unless only one has ever been heard of.
    """
    if known is None or known.status == "resolved":
        return None
    if live is None:
        return _closed(known, now, event_id) if known.confirmed or sources == {known.source} else None
    group = live.model_copy(update={"group_labels": known.labels})
    base = with_silence(without_stale_requests(known, now), group, silences, now)
    names = card.names(group)
    newest = card.make(group, names, base.marks, shown=shown, confirmed=True, now=now)
    # Links of the notification are richer than those of the list.
    newest = newest.model_copy(
        update={"links": newest.links if len(newest.links) > len(base.card.links) else base.card.links}
    )
    if base == known and known.confirmed and card.same(newest, known.card):
        return None
    changed = {"card": newest, "marks": _marks(group, names, base.marks), "event_id": event_id}
    return base.model_copy(update={**changed, "confirmed": True})


def _closed(state: GroupState, now: datetime, event_id: str) -> GroupState:
    """Alertmanager no longer lists the group, and nobody told us that it ended."""
    return state.model_copy(
        update={
            "status": "resolved",
            "resolved_at": now,
            "end_inferred": True,
            "marks": {f: m.model_copy(update={"status": "resolved"}) for f, m in state.marks.items()},
            "card": card.ended(state.card),
            "event_id": event_id,
        }
    )


def without_stale_requests(state: GroupState, now: datetime) -> GroupState:
    """Requests that nobody works on any more make room."""
    alive = {kind: request for kind, request in state.pending.items() if now - request.at < STALE_REQUEST}
    return state if alive == state.pending else state.model_copy(update={"pending": alive})


def requested(known: GroupState | None, kind: str, request: Pending) -> GroupState | None:
    """Take the right to do something for this group, unless somebody else has it."""
    if known is None:
        return None
    held = without_stale_requests(known, request.at).pending.get(kind)
    if held is not None and held.event_id != request.event_id:
        return known
    return known.model_copy(update={"pending": {**known.pending, kind: held or request}})


def released(known: GroupState | None, kind: str) -> GroupState | None:
    if known is None:
        return None
    return known.model_copy(update={"pending": {k: p for k, p in known.pending.items() if k != kind}})


def silenced(known: GroupState | None, made: Silenced) -> GroupState | None:
    """A silence was made here; Alertmanager will confirm it with the next look."""
    done = released(known, "silence")
    if done is None or (done.silenced is not None and done.silenced.id == made.id):
        return done
    return done.model_copy(update={"silenced": made})


def unsilenced(known: GroupState | None, silence_id: str) -> GroupState | None:
    if known is None or known.silenced is None or known.silenced.id != silence_id:
        return known
    return known.model_copy(update={"silenced": None, "silences": known.silences + known.silenced.whole})


def acknowledged(known: GroupState | None, user: str, now: datetime, *, take_over: bool) -> GroupState | None:
    """Somebody is on it; from another person it is taken only on purpose."""
    if known is None or known.status == "resolved":
        return known
    if known.acked is not None and (known.acked.by == user or not take_over):
        return known
    return known.model_copy(update={"acked": Acked(by=user, at=now), "assignee": user, "escalate_at": None})


def assigned(known: GroupState | None, user: str, by: str, now: datetime) -> GroupState | None:
    """Hand it to a person: who accepts for oneself has acknowledged it, another person is still to."""
    if user == by:
        return acknowledged(known, user, now, take_over=True)
    if known is None or known.status == "resolved":
        return known
    return known.model_copy(update={"assignee": user})


def ticketed(known: GroupState | None, ticket: TicketLink) -> GroupState | None:
    done = released(known, "ticket")
    return done and done.model_copy(update={"ticket": ticket})
