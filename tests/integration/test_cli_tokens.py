"""`signalbox tokens`: shown once, listed, revoked."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.main import app
from bot.core.database import Database
from bot.core.tokens import PREFIX

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'signalbox.db'}")
    monkeypatch.setenv("SIGNALBOX_SECRET_KEY", "k" * 32)
    monkeypatch.setenv("SIGNALBOX_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    Database(f"sqlite:///{tmp_path / 'signalbox.db'}").migrate()


def test_a_token_is_made_listed_without_its_secret_and_revoked() -> None:
    made = CliRunner().invoke(app, ["tokens", "create", "grafana", "--scope", "read"])
    [secret] = [line for line in made.output.splitlines() if line.startswith(PREFIX)]
    token_id = secret.removeprefix(PREFIX).partition("_")[0]
    listed = CliRunner().invoke(app, ["tokens", "list"]).output
    assert "grafana" in listed
    assert "holds" in listed
    assert secret.rpartition("_")[2] not in listed
    assert CliRunner().invoke(app, ["tokens", "revoke", token_id]).exit_code == 0
    assert "revoked" in CliRunner().invoke(app, ["tokens", "list"]).output
    assert CliRunner().invoke(app, ["tokens", "revoke", token_id]).exit_code != 0


def test_a_scope_that_is_none_is_refused() -> None:
    assert CliRunner().invoke(app, ["tokens", "create", "x", "--scope", "root"]).exit_code != 0
