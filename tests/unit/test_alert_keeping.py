"""What the alert relay forgets, and what it keeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alert_kit import fires, poll, relay_kit
from mitigation_samples import ask, fire, kit_with

from bot.core.memory import Documents
from bot.testing import Kit

pytestmark = pytest.mark.unit


@pytest.fixture
def kit() -> Iterator[Kit]:
    with relay_kit(keep_days=100) as made:
        yield made


def keys(kit: Kit, prefix: str) -> list[str]:
    documents = Documents(kit.kernel.db, kit.plugin.name)
    return [found.key for found in documents.having(prefix)]


def tidied(kit: Kit, *, days: float) -> None:
    kit.advance(days=days)
    kit.tick("tidy")


def test_what_ended_long_ago_is_forgotten_with_its_incident(kit: Kit) -> None:
    fires(kit, "Gone", service="web")
    kit.alerts.set([])
    poll(kit, minutes=2)
    tidied(kit, days=99)
    assert keys(kit, "group:")
    tidied(kit, days=2)
    assert [key for prefix in ("group:", "incident:", "incident-of:") for key in keys(kit, prefix)] == []
    fires(kit, "Gone", service="web")
    assert keys(kit, "incident:") == ["incident:000000002"]


def test_what_still_fires_stays(kit: Kit) -> None:
    fires(kit, "Old", service="web")
    tidied(kit, days=500)
    assert keys(kit, "group:") == ["group:Old-web"]
    assert keys(kit, "incident:") == ["incident:000000001"]


def test_what_waited_for_a_click_is_forgotten_sooner() -> None:
    with kit_with() as kit:
        fire(kit)
        ask(kit)
        assert keys(kit, "mitigation-proposal:")
        tidied(kit, days=8)
        assert keys(kit, "mitigation-proposal:") == []
