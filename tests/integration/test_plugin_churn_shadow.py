"""A challenger scores beside the champion, and nobody's scores are the worse for it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

for package in ("polars", "lightgbm", "sklearn", "torch"):
    pytest.importorskip(package, reason=f"{package} is not installed; `make train-deps` installs it")

from ml.churn import reading, registry, scoring, shadow, shelf, simulate, store  # noqa: E402
from ml.churn.model.artifact import BOOSTING, Costs  # noqa: E402
from ml.churn.runs import Run  # noqa: E402
from ml.churn.store import Loaded  # noqa: E402
from ml.churn.training import dataset  # noqa: E402
from ml.churn.training import train as training  # noqa: E402
from ml.churn.training.fit import Recipe  # noqa: E402

pytestmark = pytest.mark.integration
DAY = date(2026, 11, 23)
RECIPES = {
    name: Recipe(folds=2, trees=20, rounds=20, members=1, seed=seed) for name, seed in (("a", 0), ("b", 1))
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
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
    before = (challenger / BOOSTING).read_bytes()
    (challenger / BOOSTING).write_bytes(before + b" ")
    try:
        made = run(folder, later=14)
    finally:
        (challenger / BOOSTING).write_bytes(before)
    assert made.customers > 0
    assert "is not what was sealed" in shadow.of(folder, challenger.name)[-1].trouble


def test_without_a_challenger_nothing_is_noted(folder: Path, tmp_path: Path) -> None:
    champion = registry.champion(folder)
    kept = registry.keep(champion, tmp_path)
    registry.promote(tmp_path, kept)
    loaded = store.load(folder)
    scoring.score(loaded, tmp_path, top=1)
    assert not (tmp_path / "shadow").exists()
