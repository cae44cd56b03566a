"""Weeks of made-up work, written where the plugins keep theirs: pages in use, for pictures and for axe.

All of it is simulated; the numbers say nothing about how well anything works.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from bot.core.database import Database
from bot.core.events import NewEvent, new_id
from bot.core.inbox import Inbox, Lease
from bot.core.memory import Documents, Records
from bot.core.steps import Steps
from ml.tagging import CATEGORIES
from plugins.alert_relay.incidents.incident import Incident, Member
from plugins.alert_relay.incidents.ledger import document_of

_SEED = 7
_DEAD = 0.04
_SURE, _DOUBTFUL = 0.62, 0.27
_SERVICES = ("checkout", "search", "payments")
_ALERTS = (
    ("HighErrorRate", "critical"),
    ("DiskFilling", "warning"),
    ("LatencyHigh", "critical"),
    ("QueueGrows", "warning"),
)
_ARRIVALS = (
    ("ticket.created", "autotag.consider", "SUP-{}", "jira.add_label"),
    ("ticket.updated", "autotag.consider", "SUP-{}", "jira.comment"),
    ("slack.command", "core.status", "/status", "chat.reply"),
    ("alertmanager.group", "alert-relay.relay", "HighErrorRate {}", "chat.upsert"),
    ("slack.action", "autotag.accept", "accept SUP-{}", "chat.update"),
)
"""Kind, handler, subject, and what it does outside."""


class _Clock:
    """Stands where it was put."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def fill(db: Database, now: datetime) -> None:
    chance = random.Random(_SEED)
    tickets(db, now, chance)
    alerts(db, now, chance)
    traffic(db, now, chance)


def tickets(db: Database, now: datetime, chance: random.Random, weeks: int = 12, a_week: int = 18) -> None:
    """Decisions and what people said of them; the tagger gets better with the weeks."""
    clock = _Clock(now)
    kept = Records(db, "autotag", clock=clock)
    slugs = [category.slug for category in CATEGORIES]
    for number in range(weeks * a_week):
        at = now - timedelta(weeks=weeks) + number * timedelta(weeks=1) / a_week
        skill = 0.78 + 0.16 * number / (weeks * a_week)
        truth = chance.choices(slugs, weights=[9, 7, 8, 10, 6, 9, 3, 4, 2, 3])[0]
        said = truth if chance.random() < skill else chance.choice(slugs)
        band = chance.choices(("apply", "suggest", "leave"), weights=(_SURE, _DOUBTFUL, 0.11))[0]
        confidence = {"apply": 0.93, "suggest": 0.64, "leave": 0.31}[band] + 0.05 * chance.random()
        decided = {"band": band, "category": said, "confidence": confidence, "model_version": "made-up"}
        ticket = f"SUP-{100 + number}"
        clock.now = at
        kept.append("decision", ticket, {
            **decided, "ticket": ticket, "reason": "simulated", "text_hash": f"{number:016x}",
            "scores": {said: confidence, truth: confidence / 2},
        }, durable=False)  # fmt: skip
        is_open = now - at < timedelta(hours=30)
        if band == "leave" or is_open or chance.random() < (0.75 if band == "apply" else 0.1):
            continue
        clock.now = at + timedelta(minutes=chance.randint(2, 90))
        verdict = "accept" if said == truth else "correct"
        review = {"verdict": verdict, "category": truth, "by": "U0SBALICE", "decided": decided}
        kept.append("review", ticket, review, durable=False)


def alerts(db: Database, now: datetime, chance: random.Random, days: int = 80) -> None:
    """Groups that fired and ended, what was done about them, and the incidents that they made."""
    incidents: list[Incident] = []
    for day in reversed(range(1, days)):
        for _ in range(chance.choice((0, 0, 0, 1, 1, 2))):
            start = now - timedelta(days=day) + timedelta(minutes=chance.randint(0, 1200))
            incidents.append(_fires(db, start, len(incidents) + 1, chance))
    kept = Documents(db, "alert-relay", _Clock(now))
    for known in incidents:
        kept.put(document_of(known.id), known.model_dump(mode="json"))
    kept.put("incidents", {"newest": len(incidents)})


def _fires(db: Database, start: datetime, number: int, chance: random.Random) -> Incident:
    (title, severity), service = chance.choice(_ALERTS), chance.choice(_SERVICES)
    key, alerts = f"made-up-{number}", chance.randint(1, 6)
    clock = _Clock(start + timedelta(seconds=chance.randint(20, 200)))
    noticed, kept = clock.now, Records(db, "alert-relay", clock=clock)
    lasted = timedelta(minutes=chance.randint(6, 90))
    labels = {"alertname": title, "service": service}
    kept.append("fired", key, {
        "started_at": start.isoformat(), "labels": labels, "title": title, "severity": severity,
        "planned": False, "alerts": alerts,
    }, durable=False)  # fmt: skip
    if chance.random() < 0.8:
        clock.now = start + lasted * 0.25
        kept.append("ack", key, {"by": "U0SBBOB00"}, durable=False)
    if chance.random() < 0.4:
        clock.now = start + lasted * 0.7
        status = chance.choice(("succeeded", "succeeded", "succeeded", "failed"))
        run = {"run": f"{number:032x}", "mitigation": "restart", "service": service, "status": status}
        kept.append("mitigation", key, run, durable=False)
    clock.now = start + lasted
    kept.append(
        "resolved",
        key,
        {"resolved_at": clock.now.isoformat(), "inferred": False, "alerts": alerts},
        durable=False,
    )
    member = Member(
        key=key, title=title, severity=severity, status="resolved", channel="#alerts", joined_at=noticed,
        started_at=start, ended_at=clock.now, alerts=alerts,
    )  # fmt: skip
    return Incident(id=f"INC-{number}", labels={"service": service}, opened_at=noticed, members=(member,))


def traffic(db: Database, now: datetime, chance: random.Random, days: int = 13) -> None:
    """Events with what they did outside; a few ended as dead letters."""
    for day in range(days + 1):
        for _ in range(chance.randint(3, 9) if day else 30):
            at = now - timedelta(days=day, seconds=chance.randint(60, 80_000))
            _handled(db, at, chance)


def _handled(db: Database, at: datetime, chance: random.Random) -> None:
    clock = _Clock(at)
    kind, handler, subject, effect = chance.choices(_ARRIVALS, weights=(8, 5, 5, 3, 3))[0]
    new = NewEvent(
        id=f"{int(at.timestamp() * 1000):012x}{new_id()[12:]}",  # ids are in order of time
        source=kind.partition(".")[0],
        kind=kind,
        subject=subject.format(chance.randint(100, 400)),
        body=b"{}",
        runs=((handler, "io"),),
    )
    inbox = Inbox(db, clock)
    inbox.put(new)
    lease = inbox.lease(new.run_ids()[0][0], "made-up", timedelta(minutes=1))
    assert isinstance(lease, Lease)
    if chance.random() < _DEAD and kind.startswith("ticket"):
        inbox.dead(lease, "Jira refused: the field 'labels' is not on the screen. Add it to the project's.")
        return
    Steps(db, clock).run(new.id, f"{handler}/{effect}", _label, {"name": "billing"})
    inbox.done(lease)


def _label(*, name: str) -> dict[str, Any]:
    return {"label": name}
