"""Reads stored Slack events in the worker; the front has normalised them already."""

from __future__ import annotations

from datetime import datetime

from bot.core.errors import BadDelivery, Permanent
from bot.core.events import (
    ChatMessage,
    Click,
    Command,
    Delivery,
    NewEvent,
    Payload,
    Reaction,
    SharedLinks,
    Shortcut,
    Submission,
)

_MODELS: dict[str, type[Payload]] = {
    "slack.command": Command,
    "slack.action": Click,
    "slack.view": Submission,
    "slack.shortcut": Shortcut,
    "slack.message": ChatMessage,
    "slack.mention": ChatMessage,
    "slack.home": ChatMessage,
    "slack.reaction": Reaction,
    "slack.links": SharedLinks,
}


class SlackSource:
    name = "slack"
    max_body = 0

    def verify(self, delivery: Delivery, now: datetime) -> None:  # noqa: ARG002  # the protocol's signature
        raise BadDelivery("Slack delivers to /slack/events.", status=404)

    def normalise(self, delivery: Delivery, now: datetime) -> NewEvent | None:  # noqa: ARG002
        raise BadDelivery("Slack delivers to /slack/events.", status=404)

    def parse(self, kind: str, body: bytes) -> Payload:
        model = _MODELS.get(kind)
        if model is None:
            raise Permanent(f"Signalbox does not read Slack events of kind {kind!r}.")
        return model.model_validate_json(body)
