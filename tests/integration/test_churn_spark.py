"""Both engines say the same of every customer: features, and the scores that follow from them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

for package in ("polars", "lightgbm", "sklearn", "torch", "pyspark"):
    pytest.importorskip(package, reason=f"{package} is not installed; `make train-deps` installs it")

from ml.churn import reading, registry, scoring, simulate, store  # noqa: E402
from ml.churn.features import engine, local  # noqa: E402
from ml.churn.model.artifact import Costs  # noqa: E402
from ml.churn.training import dataset  # noqa: E402
from ml.churn.training import train as training  # noqa: E402
from ml.churn.training.recipe import Recipe  # noqa: E402
from ml.spark import SparkUnavailableError, java_home, session  # noqa: E402

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
DAY = date(2026, 11, 23)
MASTER = "local[2]"
SMALL = Recipe(folds=2, trees=20, rounds=30, members=1, tuned=False)


@pytest.fixture(scope="module", autouse=True)
def spark() -> Iterator[Any]:
    try:
        java_home()
    except SparkUnavailableError as exc:
        pytest.skip(str(exc))
    running = session(MASTER, "test", {"spark.sql.shuffle.partitions": "4"})
    yield running
    running.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("spark")
    reading.write(simulate.tables(300, 60, DAY, seed=3), base / "raw")
    assert store.etl(base / "raw", base / "churn", DAY).passed
    return base / "churn"


@pytest.mark.parametrize("weeks", [0, 9])
def test_the_features_are_equal(world: Path, weeks: int) -> None:
    data = store.load(world)
    cut = DAY - timedelta(weeks=weeks)
    here = local.features(data.frames, cut)
    there = engine.features(store.Loaded(data.frames, cut, data.sha256), world, MASTER)
    assert sorted(there.columns) == sorted(here.columns)
    assert len(here) > 100
    for name in here.columns:
        ours, theirs = here[name], there[name]
        if ours.dtype.is_float():
            np.testing.assert_allclose(theirs.to_numpy(), ours.to_numpy(), rtol=1e-9, atol=1e-9, err_msg=name)
        else:
            assert theirs.to_list() == ours.to_list(), name


def test_the_scores_are_equal(world: Path, tmp_path: Path) -> None:
    data = store.load(world)
    built = dataset.build(data.frames, data.as_of, most_cuts=4)
    model = training.train(built, tmp_path, name="churn-test", sha256="0" * 64, costs=Costs(), recipe=SMALL)
    registry.promote(world, registry.keep(model.folder, world), by="test")
    here, there = scoring.score(data, world), scoring.score(data, world, master=MASTER)
    assert (here.engine, there.engine) == ("local", "spark")
    said = [{row.customer_id: row for row in run.scores()} for run in (here, there)]
    assert said[0].keys() == said[1].keys()
    for name, ours in said[0].items():
        assert said[1][name].probability == pytest.approx(ours.probability, rel=1e-6)
        assert said[1][name].reasons == ours.reasons
