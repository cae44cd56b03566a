"""One event from delivery to effects."""

from __future__ import annotations

from dataclasses import dataclass

from bot.core.audit import Audit, AuditRow
from bot.core.events import Event
from bot.core.inbox import Inbox, RunView
from bot.core.steps import Steps, StepView


@dataclass(frozen=True, slots=True)
class Trace:
    event: Event
    bytes: int
    runs: list[RunView]
    steps: list[StepView]
    audit: list[AuditRow]


def trace(inbox: Inbox, steps: Steps, audit: Audit, event_id: str) -> Trace:
    """Everything known about an event; `event_id` may be the unique beginning of an id."""
    event, body = inbox.event(event_id)
    return Trace(
        event, len(body), inbox.runs(event_id=event.id), steps.of(event.id), audit.rows(event_id=event.id)
    )
