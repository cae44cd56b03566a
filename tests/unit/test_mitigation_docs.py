"""The page about mitigations: its example is valid, and every guardrail stands in its table."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from bot.core.settings import Settings
from plugins.alert_relay.config import AlertRelayConfig
from plugins.alert_relay.mitigation.guardrails import GUARDRAILS
from plugins.alert_relay.mitigation.runs import TRANSITIONS

pytestmark = pytest.mark.unit
PAGE = (Path(__file__).parents[2] / "docs" / "mitigation.md").read_text()


def test_the_example_is_complete_and_valid() -> None:
    example, _ = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    settings = Settings.model_validate(tomllib.loads(example))
    config = AlertRelayConfig.model_validate(
        {"mitigations": settings.mitigations, **settings.plugins["alert-relay"]}
    )
    [found] = config.mitigations
    assert found.auto is not None
    assert found.verify is not None
    missing = set(type(found).model_fields) - found.model_fields_set - {"hours"}
    assert missing == set()


def test_every_guardrail_and_status_is_explained() -> None:
    for guardrail in GUARDRAILS:
        assert f"`{guardrail.name}`" in PAGE
    for status in TRANSITIONS:
        assert status in PAGE
