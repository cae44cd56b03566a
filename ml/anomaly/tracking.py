"""One MLflow run for each training of a joint model; the newest version serves as its champion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ml.anomaly import joint
from ml.anomaly.joint import JointModel

EXPERIMENT = "anomaly"


def record(store: Path, service: str, model: JointModel, file: Path) -> str | None:
    """The run's id; None where MLflow, which is in the train extra, is not installed. `file` holds the
    model.
    """
    try:
        from mlflow import MlflowClient  # noqa: PLC0415
    except ImportError:
        return None
    store.mkdir(parents=True, exist_ok=True)
    uri = f"sqlite:///{store / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    run = client.create_run(_experiment(client, store), run_name=service).info.run_id
    settings = {"metrics": ", ".join(model.names), "quantile": joint.QUANTILE, "explained": joint.EXPLAINED}
    for name, value in settings.items():
        client.log_param(run, name, value)
    figures = {"rows": model.rows, "components": len(model.components), "line": model.line_off}
    for name, number in figures.items():
        client.log_metric(run, name, float(number))
    client.log_artifact(run, str(file))
    client.set_terminated(run)
    _register(client, f"{EXPERIMENT}-{service}", run)
    return str(run)


def _experiment(client: Any, store: Path) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return str(found.experiment_id)
    place = (store / "artifacts").resolve().as_uri()
    return str(client.create_experiment(EXPERIMENT, artifact_location=place))


def _register(client: Any, name: str, run: str) -> None:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(name)
    source = client.get_run(run).info.artifact_uri
    made = client.create_model_version(name, source, run_id=run)
    client.set_registered_model_alias(name, "champion", made.version)
