"""The clock as a source of events."""

from __future__ import annotations

from datetime import datetime

from bot.core.errors import BadDelivery
from bot.core.events import DedupeKey, Delivery, NewEvent, Payload, Tick

KIND = "schedule.tick"


class ScheduleSource:
    """Reads ticks in the worker. It has no door: nobody can deliver a tick from outside."""

    name = "schedule"
    max_body = 0

    def verify(self, delivery: Delivery, now: datetime) -> None:  # noqa: ARG002  # the protocol's signature
        raise BadDelivery("The clock has no webhook.", status=404)

    def normalise(self, delivery: Delivery, now: datetime) -> NewEvent | None:  # noqa: ARG002
        raise BadDelivery("The clock has no webhook.", status=404)

    def parse(self, kind: str, body: bytes) -> Payload:  # noqa: ARG002
        return Tick.model_validate_json(body)


def tick_event(handler: str, queue: str, tick: Tick) -> NewEvent:
    """The event of one planned time; however many schedulers make it, one is stored."""
    return NewEvent(
        source="schedule",
        kind=KIND,
        subject=handler,
        body=tick.model_dump_json().encode(),
        dedupe=(DedupeKey(f"schedule:{handler}:{tick.due_at.isoformat()}", window=400 * 86400.0),),
        actor="schedule",
        runs=((handler, queue),),
    )
