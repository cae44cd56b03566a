"""`signalbox doctor` shows where settings come from and never what is secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from bot import diagnosis
from bot.core.settings import Settings
from bot.core.settings_loader import load_settings
from tests.conftest import free_port

pytestmark = pytest.mark.unit
CANARY = "canary-7f3a"


def test_no_secret_is_shown_and_every_origin_is(tmp_path: Path) -> None:
    file = tmp_path / "signalbox.toml"
    file.write_text(
        f'redis_url = "redis://:{CANARY}@r:6379/0"\n[plugins.shop]\napi_key = "{CANARY}"\nchannel = "#a"\n'
        f'[generic.shop]\nsecret = "{CANARY}"\n[api_tokens]\nread = "{CANARY}"\n'
        f'[churn]\nsource = "postgresql://h/db?user=u&password={CANARY}"\n'
        f'[[mitigations]]\nname = "restart"\nbody = {{ api_token = "{CANARY}", unit = "web" }}\n'
    )
    env = {"SLACK_BOT_TOKEN": CANARY, "DATABASE_URL": f"postgresql+psycopg://u:{CANARY}@h/db"}
    rows = {row.name: row for row in diagnosis.setting_rows(load_settings(file, env))}
    assert CANARY not in str(list(rows.values()))
    assert rows["slack.bot_token"].value == "set"
    assert rows["slack.bot_token"].origin == "SLACK_BOT_TOKEN"
    assert rows["slack.app_token"].value == "not set"
    assert rows["plugins.shop.channel"].value == "#a"
    assert rows["plugins.shop.channel"].origin == str(file)
    assert rows["database_url"].value == "postgresql+psycopg://u:***@h/db"
    assert rows["churn.source"].value == "postgresql://h/db?password=***&user=u"
    assert rows["mitigations.0.body.api_token"].value == "set"
    assert rows["mitigations.0.body.unit"].value == "web"
    assert rows["mitigations.0.body.unit"].origin == str(file)
    assert rows["web.port"].origin == "default"


def test_what_is_away_is_said_with_what_to_do(tmp_path: Path) -> None:
    nobody = free_port()
    settings = Settings.model_validate(
        {
            "data_dir": tmp_path,
            "redis_url": f"redis://127.0.0.1:{nobody}/0",
            "web": {"port": nobody},
            "secret_key": SecretStr("k" * 32),
        }
    )
    found = {check.name: check.health for check in diagnosis.checks(settings)}
    assert found["redis"].status == "down"
    assert found["web"].status == "down"
    assert "signalbox web" in found["web"].detail
    assert "brings it up to date" in found["database"].detail
    assert "SLACK_BOT_TOKEN" in found["chat"].detail
    assert found["plugin core"].status == "ok"
