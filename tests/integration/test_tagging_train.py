"""Training from the command line with the real encoder, the gate, and the champion that then serves."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from bot.core.audit import Audit
from bot.core.database import Database
from bot.core.errors import ConfigError
from bot.core.events import utc_now
from bot.core.service_ledger import ServiceLedger
from ml.tagging import ModelUnavailableError, Tagger, WorseModelError, artifact, registry
from ml.tagging.encoder import Encoder
from ml.tagging.registry import Comparison
from ml.tagging.tagger import SEED, examples
from ml.tagging.training import data, export, run, tracking
from ml.tagging.training.recipe import Recipe
from plugins.autotag.cli import app
from plugins.autotag.golden import golden

pytestmark = pytest.mark.integration
TRAIN, HELDOUT = SEED / "train.jsonl", SEED / "heldout.jsonl"
needs_train_extra = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="The train extra is not installed: make train-deps"
)
needs_mlflow = pytest.mark.skipif(
    importlib.util.find_spec("mlflow") is None, reason="The train extra is not installed: make train-deps"
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("data") / "models"
    Encoder.load(made)
    return made


@pytest.fixture(scope="module")
def head(models: Path) -> Path:
    made = models.parent / "head"
    assert tags("train", TRAIN, "--mode", "head", "--out", made, "--models", models).exit_code == 0
    return made


def tags(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(result: Result) -> str:
    assert isinstance(result.exception, ConfigError)
    return str(result.exception)


def test_few_shot_learns_from_eight_examples_a_category(models: Path, tmp_path: Path) -> None:
    few = data.few([e for e in data.read(TRAIN) if not e.outside], 8, 0)
    plan = run.Plan("few", "few-shot")
    run.train(run.parts(few, [], plan), plan, tmp_path / "few", models, lambda _what, _share: None)
    tagger = Tagger.open(tmp_path / "few", models)
    rows = [(text, label) for text, label in examples("heldout") if label != "out-of-scope"]
    hits = registry.hits(tagger, [text for text, _ in rows], [(label,) for _, label in rows])
    assert hits.mean() > 0.7


def test_few_shot_learns_from_texts_without_labels_too(models: Path, tmp_path: Path) -> None:
    rows = [e for e in data.read(TRAIN) if not e.outside]
    few = data.few(rows, 8, 0)
    labelled, bare = tmp_path / "few.jsonl", tmp_path / "bare.jsonl"
    labelled.write_text("\n".join(json.dumps({"text": e.text, "label": e.label}) for e in few))
    bare.write_text("\n".join(json.dumps({"text": e.text}) for e in rows if e not in few))
    more = ("--unlabelled", bare, "--models", models)
    assert tags("train", labelled, "--mode", "few-shot", "--out", tmp_path / "m", *more).exit_code == 0
    manifest = artifact.read(tmp_path / "m")
    assert manifest.facts.settings["unlabelled"] == len(rows) - len(few)
    assert f"beside {len(rows) - len(few)} unlabelled texts" in (tmp_path / "m" / artifact.CARD).read_text()
    result = tags("train", labelled, "--mode", "head", "--out", tmp_path / "other", *more)
    assert "or leave out --unlabelled" in refused(result)


def test_seven_examples_are_too_few(models: Path, tmp_path: Path) -> None:
    file = tmp_path / "seven.jsonl"
    rows = [{"text": f"text {n}", "label": label} for n in range(7) for label in "ab"]
    file.write_text("\n".join(map(json.dumps, rows)))
    result = tags("train", file, "--mode", "few-shot", "--out", tmp_path / "m", "--models", models)
    assert "a has 7 examples; at least 8 are needed" in refused(result)
    assert not (tmp_path / "m").exists()


def test_a_trained_model_is_described(head: Path) -> None:
    manifest = artifact.read(head)
    assert manifest.facts.metrics["accuracy"] > 0.7
    assert set(manifest.bands) == set(manifest.categories)
    assert manifest.scope_at is not None
    assert manifest.facts.data_sha256 in (head / artifact.CARD).read_text()


def test_what_was_chosen_stays_when_it_learns_from_the_validation_texts_too(
    head: Path, models: Path, tmp_path: Path
) -> None:
    more = ("--no-refit", "--models", models)
    assert tags("train", TRAIN, "--out", tmp_path / "once", *more).exit_code == 0
    once, again = artifact.read(tmp_path / "once"), artifact.read(head)
    assert (again.temperature, again.bands, again.scope_at) == (once.temperature, once.bands, once.scope_at)
    assert again.facts.metrics == once.facts.metrics
    assert again.files[artifact.HEAD] != once.files[artifact.HEAD]
    assert (
        f"anew with the {again.facts.settings['refit']} validation examples"
        in (head / artifact.CARD).read_text()
    )
    assert "validation examples" not in (tmp_path / "once" / artifact.CARD).read_text()


def test_texts_that_a_model_learned_from_do_not_judge_it(models: Path, tmp_path: Path) -> None:
    rows = data.few(data.read(TRAIN), 8, 0)
    file = tmp_path / "few.jsonl"
    file.write_text("\n".join(json.dumps({"text": e.text, "label": e.label}) for e in rows))
    more = ("--valid", HELDOUT, "--models", models)
    assert tags("train", file, "--out", tmp_path / "again", *more).exit_code == 0
    for command in (("evaluate", HELDOUT, "--model"), ("promote", "--data", HELDOUT)):
        result = tags(*command, tmp_path / "again", "--models", models)
        assert "learned from these very texts" in refused(result)
    assert tags("train", file, "--out", tmp_path / "once", "--no-refit", *more).exit_code == 0
    assert tags("evaluate", HELDOUT, "--model", tmp_path / "once", "--models", models).exit_code == 0


def test_what_was_taken_for_what_is_of_texts_not_learned_from(head: Path) -> None:
    manifest, table = artifact.read(head), artifact.confusion(head)
    assert table is not None
    assert table.sum() == manifest.facts.settings["refit"]
    assert np.trace(table) / table.sum() == pytest.approx(manifest.facts.metrics["accuracy"])


def test_the_same_seed_and_data_give_the_same_model(head: Path, models: Path, tmp_path: Path) -> None:
    assert tags("train", TRAIN, "--out", tmp_path / "again", "--models", models).exit_code == 0
    assert artifact.read(tmp_path / "again").files[artifact.HEAD] == artifact.read(head).files[artifact.HEAD]


def test_a_model_is_never_overwritten(head: Path, models: Path) -> None:
    assert "already" in refused(tags("train", TRAIN, "--out", head, "--models", models))


def test_missing_data_is_a_sentence(models: Path, tmp_path: Path) -> None:
    result = tags("train", tmp_path / "none.jsonl", "--out", tmp_path / "m", "--models", models)
    assert "There is no file" in refused(result)


def test_evaluation_tells_accuracy_with_its_interval(head: Path, models: Path) -> None:
    result = tags("evaluate", HELDOUT, "--model", head, "--models", models)
    assert "95 % interval" in result.output
    assert "applied without asking" in result.output
    assert "billing: " in result.output


def test_a_language_that_is_not_recognised_is_refused(models: Path, tmp_path: Path) -> None:
    result = tags("train", TRAIN, "--out", tmp_path / "m", "--models", models, "--languages", "en, xx")
    assert "'xx'" in refused(result)


def test_export_copies_a_verified_model_once(head: Path, models: Path, tmp_path: Path) -> None:
    assert tags("export", tmp_path / "out", "--model", head, "--models", models).exit_code == 0
    assert artifact.read(tmp_path / "out") == artifact.read(head)
    assert "exists already" in refused(tags("export", tmp_path / "out", "--model", head, "--models", models))


def test_promotion_makes_a_model_serve_and_the_gate_keeps_a_worse_one_out(
    head: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert tags("promote", head, "--data", HELDOUT, "--models", models).exit_code == 0
    assert Tagger.load(models).version == artifact.read(head).version
    worse = _worse(head, tmp_path / "worse")
    result = tags("promote", worse, "--data", HELDOUT, "--models", models)
    assert "is worse than the champion" in refused(result)
    assert Tagger.load(models).version == artifact.read(head).version
    forced = tags("promote", worse, "--data", HELDOUT, "--models", models, "--force", "--why", "a test")
    assert "FORCED" in forced.output
    assert Tagger.load(models).version == artifact.read(worse).version
    db = Database(f"sqlite:///{tmp_path / '.data' / 'signalbox.db'}")
    found = ServiceLedger(db, Audit(db), utc_now, "").find(record_type="change")
    db.close()
    assert [(c.status, c.body["change_type"]) for c in found] == [
        ("implemented", "emergency"),
        ("closed", "standard"),
    ]
    assert [c.body["items"][0]["digest"] for c in found] == [artifact.digest(worse), artifact.digest(head)]
    assert found[0].body["reason"] == "a test"
    assert f"signalbox records review {found[0].id}" in forced.output


def test_what_the_champion_says_is_the_same_after_a_backup(head: Path, models: Path, tmp_path: Path) -> None:
    """The golden batch that `signalbox backup verify` compares."""
    site = tmp_path / "site"
    assert golden(site) is None
    shutil.copytree(models, site / "models", symlinks=True)
    registry.promote(head, site / "models")
    shutil.copytree(site / "models", tmp_path / "restored" / "models", symlinks=True)
    said = golden(site)
    assert said is not None
    assert golden(tmp_path / "restored") == said


def _worse(good: Path, folder: Path) -> Path:
    """The good model with its labels mixed up."""
    manifest = artifact.read(good)
    head = manifest.head(good)
    mixed = type(head)(**{**vars(head), "weights": np.ascontiguousarray(head.weights[:, ::-1])})
    folder.mkdir()
    artifact.save_head(mixed, folder)
    artifact.seal(folder, mixed, manifest.facts)
    return folder


def test_the_gate_lets_equals_pass_and_surely_worse_ones_not() -> None:
    registry.gate(Comparison(0.9, 0.9, 0.0, -0.01, 0.01))
    with pytest.raises(WorseModelError, match="--force"):
        registry.gate(Comparison(0.8, 0.9, -0.1, -0.12, -0.08))


def test_a_full_fine_tune_without_torch_says_what_to_install(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "installed", lambda _name: False)
    plan = run.Plan("full", "full")
    with pytest.raises(ModelUnavailableError, match="make train-deps"):
        run.train(run.parts(data.read(TRAIN), [], plan), plan, tmp_path / "m", models, lambda _w, _s: None)


@needs_train_extra
def test_a_full_fine_tune_becomes_an_int8_model_of_its_own(models: Path, tmp_path: Path) -> None:
    plan = run.Plan("full", "full", recipe=Recipe(epochs=2, batch=16), refit=False)
    seen: list[float] = []
    given = run.parts(data.few(data.read(TRAIN), 10, 0), [], plan)
    manifest = run.train(given, plan, tmp_path / "m", models, lambda _what, share: seen.append(share))
    assert {artifact.ENCODER, artifact.LATE, artifact.TOKENIZER, artifact.HEAD} <= set(manifest.files)
    assert seen == sorted(seen)
    rows = [(text, label) for text, label in examples("heldout") if label != "out-of-scope"]
    tagger = Tagger.open(tmp_path / "m", models)
    assert registry.hits(tagger, [text for text, _ in rows], [(label,) for _, label in rows]).mean() > 0.6


@needs_train_extra
def test_learning_anew_keeps_the_mean_of_both_fits(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ml.tagging.training import tuned  # noqa: PLC0415  # in the train extra

    fits, written, seen, cached, write = [], [], [], tuned.cached, export.write

    def noted(*given: Any) -> Any:
        fits.append(cached(*given))
        return fits[-1]

    def noted_write(weights: Any, folder: Path) -> None:
        written.append(weights)
        write(weights, folder)

    monkeypatch.setattr(tuned, "cached", noted)
    monkeypatch.setattr(export, "write", noted_write)
    plan = run.Plan("full", "full", recipe=Recipe(epochs=2, batch=16, agreement=0.0))
    given = run.parts(data.few(data.read(TRAIN), 10, 0), [], plan)
    run.train(given, plan, tmp_path / "m", models, lambda _what, share: seen.append(share))
    assert seen == sorted(seen)
    first, second = fits
    assert not np.allclose(first.weights, second.weights, atol=1e-4)
    np.testing.assert_allclose(
        tuned.mean(first, second).weights, (first.weights + second.weights) / 2, atol=1e-6
    )
    for name, kept in written[-1].items():
        np.testing.assert_allclose(kept, (first.encoder[name] + second.encoder[name]) / 2, atol=1e-6)
    rows = [(text, label) for text, label in examples("heldout") if label != "out-of-scope"]
    tagger = Tagger.open(tmp_path / "m", models)
    assert registry.hits(tagger, [text for text, _ in rows], [(label,) for _, label in rows]).mean() > 0.6


@needs_mlflow
def test_a_run_is_kept_in_mlflow_with_its_aliases(head: Path, tmp_path: Path) -> None:
    from mlflow import MlflowClient  # noqa: PLC0415  # in the train extra

    manifest = artifact.read(head)
    store = tmp_path / "mlflow"
    number = tracking.record(store, head, manifest, np.eye(len(manifest.categories), dtype=np.int64))
    client = MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    kept = client.get_run(number)
    assert kept.data.params["data"] == manifest.facts.data_sha256
    assert kept.data.metrics["accuracy"] == pytest.approx(manifest.facts.metrics["accuracy"])
    assert {file.path for file in client.list_artifacts(number)} == {
        "manifest.json",
        "MODEL_CARD.md",
        "confusion.png",
    }
    tracking.promoted(store, head)
    version = client.get_model_version_by_alias(tracking.MODEL, "champion")
    assert version.version == client.get_model_version_by_alias(tracking.MODEL, "challenger").version
