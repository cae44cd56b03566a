"""GitHub, Zendesk, Freshdesk and named webhooks: verified, named, deduplicated by the sender's own id."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from bot.core.errors import BadDelivery
from bot.core.events import Delivery, Hook, NewEvent
from bot.core.integration import Services, Source
from bot.core.settings import Settings
from integrations.generic import connect

pytestmark = pytest.mark.unit
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BODY = json.dumps({"ticket": 7, "action": "opened"}).encode()
SETTINGS = Settings.model_validate(
    {
        "webhooks": {"github": "hub", "zendesk": "zen", "freshdesk": "fresh"},
        "generic": {
            "deploys": {"secret": "dep", "header": "X-Deploy-Signature", "id_header": "X-Deploy-Id"},
            "plain": {"secret": "pla"},
        },
    }
)


def sources(settings: Settings = SETTINGS) -> dict[str, Source]:
    services = Services(settings, cast(Any, None), lambda message: message, lambda: NOW)
    return {source.name: source for source in connect(services).sources}


def signed(secret: str, body: bytes = BODY) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def zendesk_headers(body: bytes = BODY) -> dict[str, str]:
    stamp = NOW.isoformat()
    digest = hmac.new(b"zen", stamp.encode() + body, hashlib.sha256).digest()
    return {
        "x-zendesk-webhook-signature": base64.b64encode(digest).decode(),
        "x-zendesk-webhook-signature-timestamp": stamp,
        "x-zendesk-webhook-id": "webhook",
        "x-zendesk-webhook-invocation-id": "z1",
    }


GOOD = [
    Delivery("github", BODY, {"x-hub-signature-256": signed("hub"), "x-github-delivery": "g1"}),
    Delivery("zendesk", BODY, zendesk_headers()),
    Delivery("freshdesk", BODY, {"authorization": "Bearer fresh"}),
    Delivery("generic", BODY, {"x-deploy-signature": signed("dep"), "x-deploy-id": "d1"}, "deploys"),
    Delivery("generic", BODY, {"x-signature-256": signed("pla")}, "plain"),
]
EXPECTED = [
    ("generic.github", "g1", ["github:github:g1"]),
    ("generic.zendesk", "z1", ["zendesk:zendesk:z1"]),
    ("generic.freshdesk", "freshdesk", []),
    ("generic.deploys", "d1", ["generic:deploys:d1"]),
    ("generic.plain", "plain", []),
]


def taken(delivery: Delivery) -> NewEvent:
    source = sources()[delivery.source]
    source.verify(delivery, NOW)
    event = source.normalise(delivery, NOW)
    assert event is not None
    return event


@pytest.mark.parametrize(("delivery", "expected"), list(zip(GOOD, EXPECTED, strict=True)))
def test_an_authentic_delivery_becomes_an_event(
    delivery: Delivery, expected: tuple[str, str, list[str]]
) -> None:
    event = taken(delivery)
    assert (event.kind, event.subject, [key.key for key in event.dedupe]) == expected
    assert event.body == BODY
    hook = sources()[delivery.source].parse(event.kind, event.body)
    assert hook == Hook(name=expected[0].removeprefix("generic."), data=json.loads(BODY))


@pytest.mark.parametrize("delivery", GOOD)
def test_a_delivery_without_credentials_is_refused(delivery: Delivery) -> None:
    with pytest.raises(BadDelivery) as caught:
        sources()[delivery.source].verify(Delivery(delivery.source, BODY, {}, delivery.name), NOW)
    assert caught.value.status == 401


@pytest.mark.parametrize("delivery", GOOD[:3])
def test_without_a_secret_nothing_passes_and_the_setting_is_named(delivery: Delivery) -> None:
    with pytest.raises(BadDelivery, match=f"SIGNALBOX_WEBHOOKS__{delivery.source.upper()}") as caught:
        sources(Settings())[delivery.source].verify(delivery, NOW)
    assert caught.value.status == 401


def test_a_name_that_is_not_configured_is_unknown() -> None:
    with pytest.raises(BadDelivery, match=r"\[generic\.nobody\]") as caught:
        sources()["generic"].verify(Delivery("generic", BODY, {}, "nobody"), NOW)
    assert caught.value.status == 404


@pytest.mark.parametrize("delivery", GOOD)
def test_an_authentic_body_that_is_no_object_is_malformed(delivery: Delivery) -> None:
    broken = Delivery(delivery.source, b"[]", delivery.headers, delivery.name)
    with pytest.raises(BadDelivery) as caught:
        sources()[delivery.source].normalise(broken, NOW)
    assert caught.value.status == 400
