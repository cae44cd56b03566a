"""`signalbox models promote`: the same rule as the button's, and a way around it that leaves a trace."""

from __future__ import annotations

from pathlib import Path

import churn_models
import pytest
from typer.testing import CliRunner, Result

from bot.cli.changes import desk
from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.events import utc_now
from bot.core.service_desk import as_model
from bot.core.service_ledger import ServiceLedger
from bot.core.service_models import Change
from bot.core.settings import Settings
from bot.core.settings_loader import LoadedSettings
from ml.churn import registry, shadow, shelf
from ml.churn.model import artifact
from plugins.churn_digest import cli, model_changes
from plugins.churn_digest.candidates import Offer

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


def rollback(*arguments: str) -> Result:
    return CliRunner().invoke(cli.models_app, ["rollback", *arguments])


def said(done: Result) -> str:
    return f"{done.output}{done.exception}"


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
    assert registry.promotions(folder)[-1]["why"].startswith("passed the gate. Change ")
    [change] = changes(folder)
    assert (change.change_type, change.status, change.initiator) == (
        "normal",
        "implemented",
        "plugin:churn-digest",
    )
    assert change.authorisation[0].authority.startswith("cli:")
    assert {item.digest for item in change.items} == {artifact.digest(new), churn_models.DATA}
    assert change.id in registry.promotions(folder)[-1]["why"]
    assert old.name in change.backout_plan


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
    assert kept.why.startswith("forced: the champion is broken. Change ")
    [change] = changes(folder)
    assert (change.change_type, change.status) == ("emergency", "implemented")
    assert change.reason == "the champion is broken"


def test_what_slack_asked_about_is_the_same_change_and_one_that_was_rejected_is_another(folder: Path) -> None:
    old, new = churn_models.ready(folder)
    churn_models.beside(folder, new, old, cycles=2)
    settings = cli.load_local().settings
    with desk(settings, "churn-digest") as found:
        [champion, challenger] = [shelf.read(folder).named(place.name) for place in (old, new)]
        offered = model_changes.promotion(
            Offer(challenger, champion, shelf.verdict(folder, new.name), shadow.of(folder, new.name)[-1], 2),
            found.changes,
        )
        found.changes.authorise(offered.id, approve=False, by="UMAX")
    assert promote().exit_code == 0
    first, second = changes(folder)[::-1]
    assert (first.id, first.ended_as) == (offered.id, "rejected")
    assert (second.title, second.ended_as) == (first.title, "implemented")


def test_a_rollback_is_an_emergency_change_at_once(folder: Path) -> None:
    old, new = churn_models.ready(folder)
    assert "nothing to go back to" in said(rollback())
    promote("--force", "--why", "try it")
    done = rollback("--why", "it is worse")
    assert f"{old.name} serves again." in done.output
    assert registry.champion(folder) == old
    change = changes(folder)[0]
    assert f"signalbox records review {change.id}" in done.output
    assert (change.change_type, change.title, change.reason) == (
        "emergency",
        f"Roll churn back to {old.name}",
        "it is worse",
    )
    assert change.before == {"champion": new.name}
    assert change.after == {"champion": old.name}


def test_a_tampered_model_is_not_let_serve_and_its_change_failed(folder: Path) -> None:
    old, new = churn_models.ready(folder)
    (new / artifact.BOOSTING).write_text("another")
    assert "not what was sealed" in said(promote("--force", "--why", "try it"))
    assert registry.champion(folder) == old
    assert changes(folder)[0].status == "failed"


def test_a_database_that_is_away_keeps_nobody_from_going_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _ = churn_models.ready(folder)
    promote("--force", "--why", "try it")
    away = Settings(data_dir=folder.parent, database_url="postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setattr(cli, "load_local", lambda: LoadedSettings(away, {}))
    done = rollback()
    assert "records the change later" in done.output
    assert registry.champion(folder) == old


def changes(folder: Path) -> list[Change]:
    """The newest first."""
    db = Database(cli.load_local().settings.resolved_database_url())
    ledger = ServiceLedger(db, Audit(db), utc_now, "test")
    return [as_model(found) for found in ledger.find(record_type="change")]  # type: ignore[misc]
