"""A challenger scores beside the champion, and nobody's scores are the worse for it."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

for package in ("polars", "lightgbm", "sklearn", "torch"):
    pytest.importorskip(package, reason=f"{package} is not installed; `make train-deps` installs it")

from ml.churn import (  # noqa: E402
    reading,
    registry,
    runs,
    scoring,
    seen,
    shadow,
    shelf,
    simulate,
    store,
    watch,
)
from ml.churn.model.artifact import BOOSTING, Costs  # noqa: E402
from ml.churn.retraining import Policy  # noqa: E402
from ml.churn.runs import Run  # noqa: E402
from ml.churn.store import Loaded  # noqa: E402
from ml.churn.training import dataset  # noqa: E402
from ml.churn.training import train as training  # noqa: E402
from ml.churn.training.recipe import Recipe  # noqa: E402

pytestmark = pytest.mark.integration
DAY = date(2026, 11, 23)
LATER = datetime(2099, 1, 1, tzinfo=UTC)
RECIPES = {
    name: Recipe(folds=2, trees=20, rounds=20, members=1, seed=seed, tuned=False)
    for name, seed in (("a", 0), ("b", 1))
}


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of this test's own."""
    return Path(shutil.copytree(trained, tmp_path / "churn", symlinks=True))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A churn folder with a champion and a challenger."""
    base = tmp_path_factory.mktemp("shadow")
    reading.write(simulate.tables(400, 70, DAY, seed=2), base / "raw")
    assert store.etl(base / "raw", base, DAY).passed
    loaded = store.load(base)
    data = dataset.build(loaded.frames, loaded.as_of, most_cuts=6)
    for name, recipe in RECIPES.items():
        out = base / name
        out.mkdir()
        kept = training.train(data, out, name=f"churn-{name}", sha256="0" * 64, costs=Costs(), recipe=recipe)
        place = registry.keep(kept.folder, base)
        if name == "a":
            registry.promote(base, place, by="test")
    return base


def run(folder: Path, later: int = 0) -> Run:
    loaded = store.load(folder)
    return scoring.score(
        Loaded(loaded.frames, loaded.as_of + timedelta(days=later), loaded.sha256), folder, top=1
    )


def test_the_challenger_scores_beside_and_days_are_counted(folder: Path) -> None:
    found = shelf.read(folder)
    assert found.champion is not None
    assert found.challenger is not None
    first = run(folder)
    assert first.model_digest == found.champion.digest
    [beside] = shadow.of(folder, found.challenger.name)
    assert (beside.run_id, beside.customers, beside.trouble) == (first.run_id, first.customers, "")
    assert beside.agreement > 0.5
    assert beside.flagged_by_both <= min(beside.flagged, beside.flagged_by_champion)
    run(folder)
    assert shadow.cycles(shadow.of(folder, found.challenger.name), found.champion.name) == 1
    run(folder, later=7)
    assert shadow.cycles(shadow.of(folder, found.challenger.name), found.champion.name) == 2
    assert shadow.cycles(shadow.of(folder, found.challenger.name), "another champion") == 0


def test_a_damaged_challenger_is_noted_and_the_run_stands(folder: Path) -> None:
    challenger = registry.challenger(folder)
    assert challenger is not None
    with (challenger / BOOSTING).open("ab") as file:
        file.write(b" ")
    made = run(folder, later=14)
    assert made.customers > 0
    assert "is not what was sealed" in shadow.of(folder, challenger.name)[-1].trouble


def test_without_a_challenger_nothing_is_noted(folder: Path, tmp_path: Path) -> None:
    champion = registry.champion(folder)
    kept = registry.keep(champion, tmp_path)
    registry.promote(tmp_path, kept)
    loaded = store.load(folder)
    scoring.score(loaded, tmp_path, top=1)
    assert not (tmp_path / "shadow").exists()


def test_old_scores_are_judged_by_what_came_of_them(folder: Path, tmp_path: Path) -> None:
    loaded = store.load(folder)
    registry.promote(tmp_path, registry.keep(registry.champion(folder), tmp_path))
    then = Loaded(loaded.frames, loaded.as_of - timedelta(days=100), loaded.sha256)
    past = scoring.score(then, tmp_path, top=1)
    policy = Policy(least=100)
    good = watch.look(loaded, tmp_path, policy=policy)
    assert good.outcomes > 100
    assert seen.newest(tmp_path) == good
    assert "degradation" not in {finding.kind for finding in good.findings}
    turned = [s.model_copy(update={"probability": 1 - s.probability}) for s in past.scores()]
    runs.write(
        tmp_path, past.model_copy(update={"run_id": f"{past.as_of}-ffffffff", "created_at": LATER}), turned
    )
    found = {finding.kind: finding for finding in watch.look(loaded, tmp_path, policy=policy).findings}
    assert found["degradation"].retrains
    assert "outcomes" in found["degradation"].words


def test_after_a_promotion_the_model_before_is_compared_on_new_outcomes(folder: Path, tmp_path: Path) -> None:
    loaded = store.load(folder)
    registry.promote(tmp_path, registry.keep(registry.champion(folder), tmp_path))
    challenger = registry.challenger(folder)
    assert challenger is not None
    registry.promote(tmp_path, registry.keep(challenger, tmp_path))
    then = Loaded(loaded.frames, loaded.as_of - timedelta(days=100), loaded.sha256)
    past = scoring.score(then, tmp_path, top=1)
    assert "outdone" not in {finding.kind for finding in watch.look(loaded, tmp_path).findings}
    turned = [s.model_copy(update={"probability": 1 - s.probability}) for s in past.scores()]
    runs.write(
        tmp_path, past.model_copy(update={"run_id": f"{past.as_of}-ffffffff", "created_at": LATER}), turned
    )
    found = {finding.kind: finding for finding in watch.look(loaded, tmp_path).findings}
    assert not found["outdone"].retrains
    assert "would have said it better" in found["outdone"].words


def test_before_a_window_is_over_nothing_is_judged(folder: Path, tmp_path: Path) -> None:
    loaded = store.load(folder)
    registry.promote(tmp_path, registry.keep(registry.champion(folder), tmp_path))
    scoring.score(loaded, tmp_path, top=1)
    assert watch.look(loaded, tmp_path).outcomes == 0
