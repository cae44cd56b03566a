"""A command that can't do its work leaves word for Slack, until it goes well; the last good tables stand."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

pl = pytest.importorskip("polars", reason="polars is not installed; `make train-deps` installs it")

from bot.core.settings import Settings  # noqa: E402
from bot.core.settings_loader import LoadedSettings  # noqa: E402
from ml.churn import simulate, store, trouble  # noqa: E402
from plugins.churn_digest import cli  # noqa: E402

pytestmark = pytest.mark.unit
DAY = date(2026, 11, 23)


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cli, "load_local", lambda: LoadedSettings(Settings(data_dir=tmp_path), {}))
    folder = tmp_path / "raw"
    folder.mkdir()
    for name, frame in simulate.tables(120, 40, DAY, seed=5).items():
        frame.write_csv(folder / f"{name}.csv")
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, list(arguments))


def words(folder: Path) -> dict[str, str]:
    return {found.command: found.words for found in trouble.standing(folder)}


def test_a_missing_column_is_left_for_slack_and_the_tables_stand(raw: Path, tmp_path: Path) -> None:
    churn, etl = tmp_path / "churn", ("etl", str(raw), "--as-of", f"{DAY}", "--full")
    assert run(*etl).exit_code == 0
    good = (raw / "invoices.csv").read_text()
    pl.read_csv(raw / "invoices.csv", infer_schema=False).drop("due").write_csv(raw / "invoices.csv")
    assert run(*etl).exit_code != 0
    assert "'invoices' lacks: due" in words(churn)["etl"]
    assert len(store.load(churn).frames["invoices"]) > 0
    [first] = trouble.standing(churn)
    assert run(*etl).exit_code != 0
    assert trouble.standing(churn) == [first]  # the same words again are the same trouble
    (raw / "invoices.csv").write_text(good)
    assert run(*etl).exit_code == 0
    assert words(churn) == {}


def test_without_a_model_scoring_says_what_to_do(raw: Path, tmp_path: Path) -> None:
    run("etl", str(raw), "--as-of", f"{DAY}")
    assert run("score").exit_code != 0
    assert "signalbox churn train" in words(tmp_path / "churn")["score"]
