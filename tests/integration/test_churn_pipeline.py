"""From tables to scores: a sealed model says what the fitted one said, and only promoted models serve."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

for package in ("polars", "lightgbm", "sklearn", "torch"):
    pytest.importorskip(package, reason=f"{package} is not installed; `make train-deps` installs it")

from ml.churn import champion, reading, registry, runs, scoring, simulate, store  # noqa: E402
from ml.churn.errors import LeakError, ModelTamperedError, ModelUnavailableError  # noqa: E402
from ml.churn.model.artifact import BOOSTING, CARD, MANIFEST, Costs  # noqa: E402
from ml.churn.training import dataset, tracking  # noqa: E402
from ml.churn.training import train as training  # noqa: E402
from ml.churn.training.fit import fit  # noqa: E402
from ml.churn.training.recipe import Recipe  # noqa: E402

pytestmark = pytest.mark.integration
DAY = date(2026, 11, 23)
SMALL = Recipe(folds=2, trees=30, rounds=40, members=1, tuned=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A churn folder with tables read in and a model trained."""
    base = tmp_path_factory.mktemp("pipeline")
    reading.write(simulate.tables(400, 70, DAY, seed=2), base / "raw")
    assert store.etl(base / "raw", base / "churn", DAY).passed
    return base / "churn"


@pytest.fixture(scope="module")
def data(world: Path) -> dataset.Dataset:
    loaded = store.load(world)
    return dataset.build(loaded.frames, loaded.as_of, most_cuts=6)


@pytest.fixture(scope="module")
def trained(world: Path, data: dataset.Dataset, tmp_path_factory: pytest.TempPathFactory) -> training.Trained:
    out = tmp_path_factory.mktemp("model")
    return training.train(data, out, name="churn-test", sha256="0" * 64, costs=Costs(), recipe=SMALL)


@pytest.fixture
def folder(world: Path, trained: training.Trained, tmp_path: Path) -> Path:
    """A churn folder of this test's own, with the model as champion."""
    kept = registry.keep(trained.folder, tmp_path)
    registry.promote(tmp_path, kept, by="test")
    return tmp_path


def test_a_sealed_model_says_what_the_fitted_one_said(data: dataset.Dataset, tmp_path: Path) -> None:
    fitted = fit(data.matrix, data.labels, data.groups, SMALL)
    fitted.members.save(tmp_path)
    from ml.churn.model.boosting import Boosting  # noqa: PLC0415
    from ml.churn.model.ensemble import filled  # noqa: PLC0415
    from ml.churn.model.forest import Forest  # noqa: PLC0415

    matrix = data.matrix[:500]
    whole = filled(matrix, fitted.members.medians)
    ours = Forest(tmp_path / "forest.onnx").probabilities(whole)
    assert np.allclose(ours, fitted.members.forest.predict_proba(whole)[:, 1], atol=1e-6)
    logits = Boosting(tmp_path / "boosting.txt").logits(matrix)
    assert np.allclose(logits, fitted.members.boosting.predict(matrix, raw_score=True), atol=1e-9)


def test_evaluation_is_on_a_cut_whose_outcomes_no_training_row_saw(data: dataset.Dataset) -> None:
    past, test = data.split()
    newest = data.cuts[-1]
    for number in np.unique(past.cut_of):
        assert (newest - data.cuts[number]).days >= data.horizon_days + data.embargo_days
    assert set(test.cut_of) == {len(data.cuts) - 1}


def test_training_again_gives_the_same_probabilities(data: dataset.Dataset) -> None:
    first, second = (fit(data.matrix, data.labels, data.groups, SMALL) for _ in range(2))
    assert np.allclose(first.held_out, second.held_out, atol=1e-6)


def test_a_leak_stops_the_training(data: dataset.Dataset, tmp_path: Path) -> None:
    told = data.matrix.copy()
    told[:, 0] = data.labels
    with pytest.raises(LeakError, match="logins_28d alone"):
        training.train(replace(data, matrix=told), tmp_path, name="x", sha256="", costs=Costs(), recipe=SMALL)
    assert list(tmp_path.iterdir()) == []


def test_the_model_card_is_for_people(trained: training.Trained) -> None:
    card = (trained.folder / CARD).read_text()
    assert "95 % interval" in card
    assert "auc" in card


def test_everybody_is_scored_with_reasons_for_the_dearest(world: Path, folder: Path) -> None:
    run = scoring.score(store.load(world), folder, top=20)
    assert runs.latest(folder) == run
    found = list(run.scores())
    assert len(found) == run.customers
    assert all(0 <= score.probability <= 1 for score in found)
    risks = [score.value_at_risk for score in found]
    assert risks == sorted(risks, reverse=True)
    assert any(score.reasons for score in found[:20])
    assert not any(score.reasons for score in found[20:])
    assert "SIMULATED" in " ".join(run.notes)


def test_one_customer_is_scored_as_among_all(world: Path, folder: Path) -> None:
    from ml.churn.features import local  # noqa: PLC0415

    loaded = store.load(world)
    rows = local.features(loaded.frames, loaded.as_of).head(5).to_dicts()
    model = champion.load(folder)
    alone = [model.score([row])[0].probability for row in rows]
    assert alone == pytest.approx([score.probability for score in model.score(rows)])
    with pytest.raises(ValueError, match="missing"):
        model.score([{"customer_id": "C1"}])


def test_a_changed_file_is_not_loaded_and_the_last_run_stays(world: Path, folder: Path) -> None:
    run = scoring.score(store.load(world), folder, top=1)
    place = registry.champion(folder)
    (place / BOOSTING).write_text((place / BOOSTING).read_text() + "\n")
    with pytest.raises(ModelTamperedError, match=r"boosting\.txt"):
        scoring.score(store.load(world), folder)
    assert runs.latest(folder) == run


def test_a_model_that_was_never_promoted_does_not_serve(folder: Path) -> None:
    (registry.home(folder) / registry.PROMOTED).write_text("")
    with pytest.raises(ModelTamperedError, match="never promoted"):
        champion.load(folder)


def test_a_model_whose_manifest_was_exchanged_with_its_checksum_does_not_serve(folder: Path) -> None:
    """Sealing anew is easy; being on the allow-list is not."""
    from ml.churn.model import artifact  # noqa: PLC0415

    place = registry.champion(folder)
    manifest = json.loads((place / MANIFEST).read_text()) | {"threshold": 0.0}
    (place / MANIFEST).write_text(json.dumps(manifest))
    (place / artifact.CHECKSUM).write_text(artifact.digest(place) + "\n")
    with pytest.raises(ModelTamperedError, match="never promoted"):
        champion.load(folder)


def test_without_a_champion_the_next_step_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="churn demo"):
        champion.load(tmp_path)


def test_rollback_goes_back_and_forth(folder: Path, trained: training.Trained, tmp_path: Path) -> None:
    first = registry.champion(folder)
    other = tmp_path / "other"
    other.mkdir()
    for file in trained.folder.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    from ml.churn.model import artifact  # noqa: PLC0415

    artifact.seal(other, trained.manifest.model_copy(update={"threshold": 0.5}))
    second = registry.promote(folder, registry.keep(other, folder), by="test")
    assert registry.champion(folder) == second != first
    assert registry.rollback(folder, by="test") == first
    assert registry.champion(folder) == first
    assert registry.rollback(folder, by="test") == second
    assert [line["why"] for line in registry.promotions(folder)][-1] == "rollback"


def test_a_run_that_is_cut_off_leaves_nothing_half_done(world: Path, folder: Path) -> None:
    run = scoring.score(store.load(world), folder, top=1)

    def killed():
        yield next(iter(run.scores()))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.write(folder, run.model_copy(update={"run_id": f"{DAY}-00000000"}), killed())
    assert runs.latest(folder) == run
    assert [place.name for place in (folder / "runs").iterdir()] == [run.run_id]


def test_training_is_recorded_in_mlflow_s_own_database(
    trained: training.Trained, folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("mlflow", reason="MLflow is not installed; `make train-deps` installs it")
    kept = registry.champion(folder)
    file = tmp_path / "mlflow.db"
    tracking.record(f"sqlite:///{file}", tmp_path / "artifacts", trained, kept)
    with sqlite3.connect(file) as db:
        keys = {row[0] for row in db.execute("SELECT key FROM metrics")}
        aliases = {row[0] for row in db.execute("SELECT alias FROM registered_model_aliases")}
    assert {"auc", "auc_low", "auc_high", "brier"} <= keys
    assert aliases == {"challenger"}
    assert list((tmp_path / "artifacts").rglob("reliability.png"))


def test_where_mlflow_is_away_the_model_is_kept(
    trained: training.Trained, folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("mlflow", reason="MLflow is not installed; `make train-deps` installs it")
    (tmp_path / "locked").write_text("a file")
    uri = f"sqlite:///{tmp_path / 'locked' / 'mlflow.db'}"
    with pytest.raises(ModelUnavailableError, match="is kept in"):
        tracking.record(uri, tmp_path / "artifacts", trained, registry.champion(folder))


def test_an_mlflow_server_that_never_answers_is_given_up(
    trained: training.Trained, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow", reason="MLflow is not installed; `make train-deps` installs it")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ModelUnavailableError, match="is kept in"):
            tracking.record(uri, tmp_path / "artifacts", trained, registry.champion(folder))


def test_mlflows_patience_is_short_unless_its_own_variables_say_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    variables = pytest.importorskip(
        "mlflow.environment_variables", reason="MLflow is not installed; `make train-deps` installs it"
    )
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES")
    tracking.promoted(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path)
    assert variables.MLFLOW_HTTP_REQUEST_TIMEOUT.get() == 77
    assert variables.MLFLOW_HTTP_REQUEST_MAX_RETRIES.get() == 2


def test_what_the_champion_says_is_the_same_after_a_backup(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The golden batch that `signalbox backup verify` compares."""
    from plugins.churn_digest.golden import golden  # noqa: PLC0415

    site, restored = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("restored")
    shutil.copytree(folder, site / "churn", symlinks=True)
    before = golden(site)
    shutil.copytree(site / "churn", restored / "churn", symlinks=True)
    assert before is not None
    assert len(before["scores"]) == 100
    assert golden(restored) == before
    assert golden(tmp_path_factory.mktemp("none")) is None
