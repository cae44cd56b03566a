"""Metrics that each look usual and together do not; training on a schedule, registered, and told in words."""

from __future__ import annotations

import importlib.util
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.testing import Kit
from ml.anomaly import SeriesError, StateError, joint
from plugins.anomaly_watch import AnomalyWatch

pytestmark = pytest.mark.unit
NAMES = ("requests", "latency", "errors")


def history(rows: int = 2000, seed: int = 0) -> np.ndarray:
    """Latency and errors follow the requests."""
    draw = np.random.default_rng(seed)
    requests = 100 + 30 * np.sin(np.arange(rows) / 50) + draw.normal(size=rows)
    latency = 0.004 * requests + 0.01 * draw.normal(size=rows)
    errors = 0.02 * requests + 0.1 * draw.normal(size=rows)
    return np.stack([requests, latency, errors], axis=1)


def test_metrics_that_do_not_go_together_are_anomalous_and_the_cause_leads() -> None:
    model = joint.fit(NAMES, history())
    assert (model.strengths(history(500, 1)) >= 1).mean() < 0.01
    odd = np.array([[75.0, 0.5, 1.5]])
    assert model.strengths(odd)[0] > 3
    assert model.likely(odd[0])[0] == "latency"


def test_it_is_stored_and_read_and_damage_is_told(tmp_path: Path) -> None:
    model, file = joint.fit(NAMES, history()), tmp_path / "checkout.json"
    joint.write(model, file)
    found = joint.read(file)
    assert found is not None
    assert found.strengths(history(50, 2)) == pytest.approx(model.strengths(history(50, 2)))
    file.write_text("{")
    with pytest.raises(StateError, match="damaged"):
        joint.read(file)
    assert joint.read(tmp_path / "other.json") is None


def test_too_little_history_is_refused_with_what_is_needed() -> None:
    with pytest.raises(SeriesError, match="at least 200"):
        joint.fit(NAMES, history(100))


def feed(kit: Kit, rows: np.ndarray) -> None:
    for number, row in enumerate(rows):
        at = kit.clock() - timedelta(minutes=5 * (len(rows) - 1 - number))
        for name, value in zip(NAMES, row, strict=True):
            kit.metrics.set(name, float(value), {}, at=at)


def test_a_service_is_learnt_on_a_schedule_and_watched(tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "services": [{"name": "checkout", "queries": {name: name for name in NAMES}}],
        "step": 60.0,
        "history_days": 2,
    }
    settings = {"data_dir": tmp_path, "pushgateway": {"url": "http://gateway.example"}}
    with Kit(AnomalyWatch, config=config, settings=settings) as kit:
        feed(kit, history(570))
        kit.tick("learn")
        kit.tick("collect")
        assert firing(kit) == 0
        kit.advance(minutes=5)
        feed(kit, np.array([[75.0, 0.5, 1.5]]))
        kit.advance(minutes=5)
        kit.tick("collect")
        assert firing(kit) == 1
        document = kit.document("firing:all-of-checkout")
        assert document is not None
        assert "latency most of all" in document.data["rows"][0]["reason"]
        kit.tick("learn")
    if importlib.util.find_spec("mlflow") is not None:
        from mlflow import MlflowClient  # noqa: PLC0415  # skipped where it is not installed

        uri = f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}"
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        champion = client.get_model_version_by_alias("anomaly-checkout", "champion")
        assert int(champion.version) == 2
        served = joint.read(tmp_path / "anomaly" / "joint" / "checkout.json")
        assert served is not None
        assert client.get_run(champion.run_id).data.metrics["rows"] == served.rows


def firing(kit: Kit) -> float:
    return next(
        f.value for f in kit.gateway.jobs["signalbox-anomalies"] if f.name == "signalbox_anomaly_firing"
    )
