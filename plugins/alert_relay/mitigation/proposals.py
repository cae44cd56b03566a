"""From a declared mitigation and the alerts that fire now to a proposal: what exactly would be done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from bot.plugin import Alert, AlertGroup, Executor, Refused
from plugins.alert_relay.mitigation import actuator, templates
from plugins.alert_relay.mitigation.actuator import Actuator
from plugins.alert_relay.mitigation.declarations import Mitigation
from plugins.alert_relay.mitigation.runs import Part, Proposal


class Asker(NamedTuple):
    """Who asks, where, and when."""

    user: str
    name: str
    channel: str
    at: datetime


def identity(event_id: str, *what: object) -> str:
    """The id of the proposal that an event makes: the same when the event is handled again."""
    return hashlib.sha256(json.dumps(["proposal", event_id, *what]).encode()).hexdigest()[:32]


def make(
    mitigation: Mitigation,
    live: AlertGroup,
    executors: Mapping[str, Executor],
    *,
    id: str,  # the proposal's own word
    title: str,
    episode: int,
    asker: Asker,
    confirm_within: timedelta,
    call_seconds: float,
) -> Proposal:
    """Fill in, validate and dry-run each distinct action; Refused with the reason where one can't be."""
    alerts = [alert for alert in live.firing() if mitigation.fits(alert.labels)]
    if not alerts:
        raise Refused(
            f"{title} has no alert that {mitigation.title!r} is for; nothing was run.", check="still-firing"
        )
    executor = actuator.find(executors, mitigation.executor)
    filled = _distinct(mitigation, alerts)
    _refuse_many(mitigation, len(filled))
    parts = [
        Part(alerts=found, parameters=parameters, plan=Actuator(executor, parameters, call_seconds).plan())
        for parameters, found in filled
    ]
    return Proposal(
        id=id,
        mitigation=mitigation.name,
        version=mitigation.version,
        group=live.key,
        episode=episode,
        channel=asker.channel,
        title=title,
        service=_one(mitigation, alerts, mitigation.service),
        environment=_one(mitigation, alerts, mitigation.environment),
        alert_since=min(alert.starts_at for alert in alerts),
        parts=tuple(parts),
        labels=_shared(alerts),
        by=asker.user,
        by_name=asker.name,
        at=asker.at,
        expires_at=asker.at + confirm_within,
    )


def _distinct(
    mitigation: Mitigation, alerts: Sequence[Alert]
) -> list[tuple[dict[str, object], tuple[str, ...]]]:
    """The different actions that the alerts ask for, each with its alerts."""
    found: dict[str, tuple[dict[str, object], list[str]]] = {}
    for alert in alerts:
        parameters = templates.fill(mitigation.parameters, alert.labels, "The parameter")
        key = json.dumps(parameters, sort_keys=True)
        found.setdefault(key, (parameters, []))[1].append(alert.fingerprint)
    return [(parameters, tuple(fingerprints)) for parameters, fingerprints in found.values()]


def _refuse_many(mitigation: Mitigation, count: int) -> None:
    """Before a dry run for each of them is made."""
    if count > mitigation.limits.targets:
        raise Refused(
            f"It would act on {count} targets; {mitigation.title!r} may act on {mitigation.limits.targets}. "
            "Nothing was run.",
            check="blast-radius",
        )


def _one(mitigation: Mitigation, alerts: Sequence[Alert], label: str) -> str:
    values = {alert.labels.get(label, "") for alert in alerts} if label else {""}
    if len(values) > 1:
        raise Refused(
            f"The alerts differ in {label!r} ({', '.join(sorted(values))[:100]}); {mitigation.title!r} acts "
            "on one at a time. Nothing was run. Group by that label, or narrow the match.",
            check="blast-radius",
        )
    return values.pop()


def _shared(alerts: Sequence[Alert]) -> dict[str, str]:
    """Labels that all of them have; queries about the run are filled in with these."""
    common = set.intersection(*(set(alert.labels.items()) for alert in alerts))
    return dict(sorted(common))


def still_firing(proposal: Proposal, firing: frozenset[str]) -> tuple[Part, ...]:
    """The parts that have an alert that still fires; the others need no help any more."""
    return tuple(part for part in proposal.parts if set(part.alerts) & firing)
