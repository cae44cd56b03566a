"""Deliveries without a wire: a test hands over the payload, the worker reads it back from the inbox."""

from __future__ import annotations

from datetime import datetime

from bot.core.errors import BadDelivery, Permanent
from bot.core.events import Delivery, NewEvent, Payload


class KitSource:
    name = "kit"
    max_body = 0

    def __init__(self) -> None:
        self._models: dict[str, type[Payload]] = {}

    def event(
        self,
        kind: str,
        payload: Payload,
        *,
        subject: str,
        actor: str,
        serial: str | None = None,
        runs: tuple[tuple[str, str], ...] = (),
    ) -> NewEvent:
        """An event of `kind`, stored as JSON and read back as the payload's own model."""
        self._models[kind] = type(payload)
        body = payload.model_dump_json().encode()
        return NewEvent(self.name, kind, subject[:255], body, (), serial, actor, runs)

    def verify(self, delivery: Delivery, now: datetime) -> None:  # noqa: ARG002  # the protocol's signature
        raise BadDelivery("The test kit has no webhook.", status=404)

    def normalise(self, delivery: Delivery, now: datetime) -> NewEvent | None:  # noqa: ARG002
        raise BadDelivery("The test kit has no webhook.", status=404)

    def parse(self, kind: str, body: bytes) -> Payload:
        if kind not in self._models:
            raise Permanent(f"No event of kind {kind!r} was delivered through this kit.")
        return self._models[kind].model_validate_json(body)
