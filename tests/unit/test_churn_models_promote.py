"""`signalbox models promote`: the same rule as the button's, and a way around it that leaves a trace."""

from __future__ import annotations

from pathlib import Path

import churn_models
import pytest
from typer.testing import CliRunner, Result

from bot.core.database import Database
from bot.core.settings import Settings
from bot.core.settings_loader import LoadedSettings
from ml.churn import registry, shelf
from plugins.churn_digest import cli

pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings = Settings(data_dir=tmp_path, plugins={"churn-digest": {"shadow_cycles": 2}})
    Database(settings.resolved_database_url()).migrate()
    monkeypatch.setattr(cli, "load_local", lambda: LoadedSettings(settings, {}))
    monkeypatch.setattr(cli, "_alias", lambda _: None)
    return tmp_path / "churn"


def promote(*arguments: str) -> Result:
    return CliRunner().invoke(cli.models_app, ["promote", *arguments])


def test_a_challenger_that_has_not_scored_beside_the_champion_waits(folder: Path) -> None:
    old, _ = churn_models.ready(folder)
    refused = promote()
    assert refused.exit_code != 0
    assert "1 of 2 scorings" in f"{refused.output}{refused.exception}"
    assert registry.champion(folder) == old


def test_after_its_cycles_it_serves(folder: Path) -> None:
    old, new = churn_models.ready(folder)
    churn_models.beside(folder, new, old, cycles=2)
    assert promote().exit_code == 0
    assert registry.champion(folder) == new
    assert registry.promotions(folder)[-1]["why"] == "passed the gate"


def test_what_serves_already_is_not_promoted_again(folder: Path) -> None:
    old = churn_models.champion(folder)
    done = promote(old.name)
    assert (done.exit_code, f"{old.name} serves already." in done.output) == (0, True)
    assert len(registry.promotions(folder)) == 1


def test_what_the_gate_refused_or_never_saw_waits(folder: Path) -> None:
    old = churn_models.champion(folder)
    new = churn_models.model(folder, "churn-new")
    refused = promote()
    assert "not compared" in f"{refused.output}{refused.exception}"
    churn_models.beside(folder, new, old, cycles=2)
    churn_models.judged(folder, new, old, passed=False)
    refused = promote()
    assert "Not promoted: worse." in f"{refused.output}{refused.exception}"
    assert registry.champion(folder) == old


def test_force_needs_a_reason_and_is_kept_with_it(folder: Path) -> None:
    _, new = churn_models.ready(folder)
    assert promote("--force").exit_code != 0
    assert promote("--force", "--why", "the champion is broken").exit_code == 0
    [kept] = [one for one in shelf.read(folder).promotions if one.model == new.name]
    assert kept.why == "forced: the champion is broken"
