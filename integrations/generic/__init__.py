"""Signed JSON webhooks without an adapter of their own: /webhooks/generic/{name}, GitHub, Zendesk, Freshdesk.

Their events have the kind `generic.<name>` and the payload `Hook`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bot.core.errors import BadDelivery
from bot.core.events import DedupeKey, Delivery, Hook, NewEvent, Payload
from bot.core.integration import Integration, Services
from bot.core.settings import Settings
from bot.webhooks import signatures
from bot.webhooks.body import json_object

MAX_BODY = 1_000_000
Verify = Callable[[Delivery, datetime], None]


@dataclass(frozen=True)
class JsonSource:
    """`id_header` names the header with the delivery's id; without one nothing is deduplicated."""

    name: str
    check: Verify
    id_header: Callable[[Delivery], str]
    max_body: int = MAX_BODY

    def verify(self, delivery: Delivery, now: datetime) -> None:
        self.check(delivery, now)

    def normalise(self, delivery: Delivery, now: datetime) -> NewEvent | None:  # noqa: ARG002  # the protocol's
        json_object(delivery.body)
        name = delivery.name or self.name
        header = self.id_header(delivery)
        delivery_id = delivery.headers.get(header.lower(), "") if header else ""
        keys = (DedupeKey(f"{self.name}:{name}:{delivery_id}"[:255]),) if delivery_id else ()
        return NewEvent(self.name, f"generic.{name}"[:80], delivery_id or name, delivery.body, keys)

    def parse(self, kind: str, body: bytes) -> Payload:
        return Hook(name=kind.removeprefix("generic."), data=json_object(body))


def connect(services: Services) -> Integration:
    settings = services.settings
    sources = [JsonSource("generic", _generic(settings), lambda d: settings.generic[d.name].id_header)]
    # A system that is the helpdesk has an adapter of its own, which knows what its deliveries mean.
    if settings.github.token is None:
        sources.append(JsonSource("github", _github(settings), lambda _: "X-GitHub-Delivery"))
    if not settings.zendesk.url:
        sources.append(JsonSource("zendesk", _zendesk(settings), lambda _: "X-Zendesk-Webhook-Invocation-Id"))
    if not settings.freshdesk.url:
        sources.append(JsonSource("freshdesk", _freshdesk(settings), lambda _: ""))
    return Integration("generic", tuple(sources))


def _generic(settings: Settings) -> Verify:
    def verify(delivery: Delivery, now: datetime) -> None:  # noqa: ARG001
        source = settings.generic.get(delivery.name)
        if source is None:
            raise BadDelivery(f"No [generic.{delivery.name[:80]}] is configured.", status=404)
        secret = signatures.secret_of(source.secret, f"generic.{delivery.name}.secret")
        signatures.hmac_sha256(delivery, secret, source.header)

    return verify


def _github(settings: Settings) -> Verify:
    def verify(delivery: Delivery, now: datetime) -> None:  # noqa: ARG001
        secret = signatures.secret_of(settings.webhooks.github, "SIGNALBOX_WEBHOOKS__GITHUB")
        signatures.hmac_sha256(delivery, secret, "X-Hub-Signature-256")

    return verify


def _zendesk(settings: Settings) -> Verify:
    def verify(delivery: Delivery, now: datetime) -> None:
        secret = signatures.secret_of(settings.webhooks.zendesk, "SIGNALBOX_WEBHOOKS__ZENDESK")
        signatures.zendesk(delivery, secret, now)

    return verify


def _freshdesk(settings: Settings) -> Verify:
    def verify(delivery: Delivery, now: datetime) -> None:  # noqa: ARG001
        token = signatures.secret_of(settings.webhooks.freshdesk, "SIGNALBOX_WEBHOOKS__FRESHDESK")
        signatures.bearer(delivery, token)

    return verify
