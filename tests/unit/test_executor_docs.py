"""What docs/executors.md shows is what the executors and the settings take."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from bot.core.settings import Settings
from integrations.mitigations.alertmanager import SilenceParameters
from integrations.mitigations.aws import AwsParameters
from integrations.mitigations.command import CommandParameters
from integrations.mitigations.http import HttpParameters
from integrations.mitigations.jira import TicketParameters
from integrations.mitigations.kubernetes import KubernetesParameters

pytestmark = pytest.mark.unit
PAGE = (Path(__file__).parents[2] / "docs" / "executors.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
MODELS = (
    HttpParameters, CommandParameters, KubernetesParameters, AwsParameters, SilenceParameters, TicketParameters,
)  # fmt: skip


def test_every_settings_example_is_valid() -> None:
    shown = [block for block in BLOCKS if block.startswith("[executors")]
    assert len(shown) == 4
    for block in shown:
        Settings.model_validate(tomllib.loads(block))


def test_every_parameters_example_is_valid() -> None:
    shown = [block for block in BLOCKS if block.startswith("# [mitigations.parameters]")]
    for block, model in zip(shown, MODELS, strict=True):
        model.model_validate(tomllib.loads(block))
