"""An alert group in a few lines, however many alerts it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from bot.plugin import Alert, AlertGroup
from plugins.alert_relay import severity
from plugins.alert_relay.state import Card, Link, Mark

EMPTY = Card(title="")
_NAME_LENGTH = 60
_LINE_LENGTH = 200
_CHANGES_SHOWN = 3
_LINKS = (("Runbook", "runbook_url"), ("Dashboard", "dashboard_url"))
_NOISE = {"alertname", "severity", "job", "cluster"}


def make(
    group: AlertGroup,
    names: Mapping[str, str],
    known: Mapping[str, Mark],
    *,
    shown: int,
    confirmed: bool,
    now: datetime,
) -> Card:
    loud = [alert for alert in group.firing() if not alert.is_muted]
    muted = [alert for alert in group.firing() if alert.is_muted]
    why = Counter(muted_how(alert) for alert in muted)
    resolved = [alert for alert in group.alerts if alert.status == "resolved"]
    listed = sorted([*loud, *muted] or resolved, key=_importance)
    one = listed[0] if listed else None
    return Card(
        title=_title(group),
        severity=worst([*loud, *muted] or resolved),
        summary=_common(group, one, "summary"),
        description=_common(group, one, "description"),
        lines=tuple(_line(alert, names) for alert in listed[:shown]) if len(listed) > 1 else (),
        firing=len(loud),
        silenced=why["silenced"],
        inhibited=why["inhibited"],
        muted=why["muted"],
        resolved=len(resolved),
        more=(max(0, len(listed) - shown) if len(listed) > 1 else 0) + group.truncated,
        **_changes(group, names, known),
        links=_links(group, one),
        footnote=_footnote(group, confirmed=confirmed, now=now),
    )


def same(one: Card, other: Card) -> bool:
    """Whether two cards tell people the same; when and what changed before is no difference."""
    aside = {"footnote": "", "appeared": (), "ended": (), "links": (), "resolved": 0}
    return one.model_copy(update=aside) == other.model_copy(update=aside)


def ended(card: Card) -> Card:
    """The card of a group that is gone."""
    return card.model_copy(
        update={
            "firing": 0,
            "silenced": 0,
            "inhibited": 0,
            "muted": 0,
            "resolved": card.resolved + card.active,
            "lines": (),
            "more": 0,
            "appeared": (),
            "ended": (),
            "footnote": "Alertmanager no longer lists this group.",
        }
    )


def names(group: AlertGroup) -> dict[str, str]:
    """Fingerprint to what tells the alert from its neighbours."""
    common = set(group.common_labels.items()) | set(group.group_labels.items())
    return {alert.fingerprint: _name(alert, common) for alert in group.alerts}


def _name(alert: Alert, common: set[tuple[str, str]]) -> str:
    own = [(k, v) for k, v in sorted(alert.labels.items()) if (k, v) not in common and k not in _NOISE]
    chosen = own or [(k, v) for k, v in sorted(alert.labels.items()) if k in {"instance", "alertname"}]
    return _cut(" ".join(value for _, value in chosen) or alert.fingerprint, _NAME_LENGTH)


def _title(group: AlertGroup) -> str:
    labels = {**group.common_labels, **group.group_labels}
    name = labels.get("alertname") or "Alerts"
    rest = [v for k, v in sorted(group.group_labels.items()) if k != "alertname" and v]
    return _cut(" · ".join([name, *rest]), 140)


def worst(alerts: Iterable[Alert]) -> str:
    found = {alert.labels.get("severity", "") for alert in alerts}
    return min(found, key=lambda s: (severity.rank(s), s), default="")


def _importance(alert: Alert) -> tuple[bool, int, datetime]:
    return (alert.is_muted, severity.rank(alert.labels.get("severity", "")), alert.starts_at)


def muted_how(alert: Alert) -> str:
    """What keeps Alertmanager from notifying about it, in a word; empty when nothing does."""
    if alert.silenced_by:
        return "silenced"
    return "inhibited" if alert.inhibited_by else "muted" if alert.muted_by else ""


def _common(group: AlertGroup, one: Alert | None, name: str) -> str:
    text = group.common_annotations.get(name) or (one.annotations.get(name, "") if one else "")
    return _cut(text, 500)


def _line(alert: Alert, names: Mapping[str, str]) -> str:
    summary = alert.annotations.get("summary", "")
    how = muted_how(alert)
    mute = f" ({how})" if how else ""
    return _cut(
        f"{names[alert.fingerprint]}{mute}: {summary}" if summary else names[alert.fingerprint] + mute
    )


def _changes(
    group: AlertGroup, names: Mapping[str, str], known: Mapping[str, Mark]
) -> dict[str, tuple[str, ...]]:
    """What is different from the last time; nothing to compare with on the first."""
    if not known:
        return {"appeared": (), "ended": ()}
    before = {fingerprint for fingerprint, mark in known.items() if mark.status == "firing"}
    firing = {alert.fingerprint for alert in group.firing()}
    gone = set() if group.truncated else before - firing
    return {
        "appeared": _few([names[a.fingerprint] for a in group.firing() if a.fingerprint not in before]),
        "ended": _few(sorted(known[fingerprint].name for fingerprint in gone)),
    }


def _few(found: list[str]) -> tuple[str, ...]:
    rest = len(found) - _CHANGES_SHOWN
    return (*found[:_CHANGES_SHOWN], *([f"{rest} more"] if rest > 0 else []))


def _links(group: AlertGroup, one: Alert | None) -> tuple[Link, ...]:
    found = [(label, _common(group, one, annotation)) for label, annotation in _LINKS]
    found += [("Graph", one.generator_url if one else ""), ("Alertmanager", group.external_url)]
    return tuple(Link(label=label, url=url) for label, url in found if url)


def _footnote(group: AlertGroup, *, confirmed: bool, now: datetime) -> str:
    source = "Alertmanager's present state" if confirmed else "As delivered; not confirmed by Alertmanager"
    cut = f", {group.truncated} alerts were left out by max_alerts" if group.truncated else ""
    return f"{source}, {now:%H:%M} UTC{cut}"


def _cut(text: str, length: int = _LINE_LENGTH) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
