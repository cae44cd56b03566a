"""Errands: work that a handler leaves for another one, with attempts and a dead letter of its own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bot.core.errors import BadDelivery
from bot.core.events import DedupeKey, Delivery, Errand, NewEvent, Payload
from bot.core.registry import Registry

SOURCE = "errand"


class ErrandSource:
    """Reads errands in the worker. It has no door: nobody can deliver one from outside."""

    name = SOURCE
    max_body = 0

    def verify(self, delivery: Delivery, now: datetime) -> None:  # noqa: ARG002  # the protocol's signature
        raise BadDelivery("Errands have no webhook.", status=404)

    def normalise(self, delivery: Delivery, now: datetime) -> NewEvent | None:  # noqa: ARG002
        raise BadDelivery("Errands have no webhook.", status=404)

    def parse(self, kind: str, body: bytes) -> Payload:  # noqa: ARG002
        return Errand.model_validate_json(body)


def errand_event(
    registry: Registry, kind: str, data: dict[str, Any], *, subject: str, serial: str | None, once: DedupeKey
) -> NewEvent:
    return NewEvent(
        source=SOURCE,
        kind=kind,
        subject=subject[:255],
        body=Errand(name=kind, data=data).model_dump_json().encode(),
        dedupe=(once,),
        serial=serial,
        runs=tuple((h.name, h.declaration.queue) for h in registry.handlers_for(kind)),
    )
