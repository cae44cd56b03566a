"""One MLflow run for a training, in a database of its own; its migrations never meet the product's."""

from __future__ import annotations

import logging
from importlib import metadata
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from ml.churn.errors import ModelUnavailableError
from ml.churn.model import artifact
from ml.churn.training.train import Trained

EXPERIMENT = MODEL = "churn"
_NEEDED = ("lightgbm", "numpy", "onnxruntime", "safetensors")


def record(uri: str, artifacts: Path, trained: Trained, kept: Path) -> str:
    """Log parameters, data hash, scores, plots, model card and requirements; returns the run's id.

    Raises:
        ModelUnavailableError: MLflow is not installed or does not answer; the model itself is kept.
    """
    mlflow = _mlflow()
    try:
        return _record(mlflow.MlflowClient(uri, uri), artifacts, trained, kept)
    except (mlflow.exceptions.MlflowException, SQLAlchemyError, OSError) as exc:
        raise ModelUnavailableError(
            f"MLflow could not record the training ({type(exc).__name__}: {str(exc)[:200]}). The "
            "model is kept in "
            f"{kept}; check mlflow.tracking_uri and train again to have it recorded."
        ) from exc


def _mlflow() -> Any:
    """MLflow, told to give up a server that does not answer within a minute, not within a quarter hour.

    Whoever sets MLflow's own variables decides instead.
    """
    try:
        import mlflow  # noqa: PLC0415  # seconds to import; of the training extra
        from mlflow import environment_variables as variables  # noqa: PLC0415
    except ImportError as exc:
        raise ModelUnavailableError("MLflow is not installed. Run: make train-deps") from exc
    for variable, value in (
        (variables.MLFLOW_HTTP_REQUEST_TIMEOUT, 10),
        (variables.MLFLOW_HTTP_REQUEST_MAX_RETRIES, 2),
    ):
        if not variable.is_set():
            variable.set(value)
    for talker in ("mlflow.store.db.utils", "alembic"):  # of tables that they make; nobody asked
        logging.getLogger(talker).setLevel(logging.WARNING)
    return mlflow


def _record(client: Any, artifacts: Path, trained: Trained, kept: Path) -> str:
    facts = trained.manifest.facts
    found = client.get_experiment_by_name(EXPERIMENT)
    artifacts.mkdir(parents=True, exist_ok=True)
    where = artifacts.resolve().as_uri()
    number = found.experiment_id if found else client.create_experiment(EXPERIMENT, where)
    run = client.create_run(number, run_name=kept.name)
    name = run.info.run_id
    cuts = ",".join(facts.cuts)
    said = {"data_sha256": facts.data_sha256, "code_version": facts.code_version, "cuts": cuts}
    for key, value in {**facts.settings, **said}.items():
        client.log_param(name, key, value)
    for key, score in facts.metrics.items():
        client.log_metric(name, key, score)
    for key, (low, high) in facts.intervals.items():
        client.log_metric(name, f"{key}_low", low)
        client.log_metric(name, f"{key}_high", high)
    client.set_tag(name, "digest", artifact.digest(kept))
    for file in (artifact.MANIFEST, artifact.CARD):
        client.log_artifact(name, str(kept / file))
    client.log_text(name, _requirements(), "requirements.txt")
    client.log_dict(name, _signature(trained), "signature.json")
    client.log_figure(name, reliability(trained), "reliability.png")
    client.set_terminated(name)
    _register(client, kept, name)
    return str(name)


def _register(client: Any, kept: Path, run: str) -> None:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        client.get_registered_model(MODEL)
    except MlflowException:
        client.create_registered_model(MODEL)
    made = client.create_model_version(MODEL, kept.resolve().as_uri(), run_id=run)
    client.set_registered_model_alias(MODEL, "challenger", made.version)


def promoted(uri: str, kept: Path) -> None:
    """Move the alias champion to the version that was made of the folder, if MLflow knows it.

    Raises:
        ModelUnavailableError: MLflow is not installed or does not answer; what serves is not its business.
    """
    mlflow = _mlflow()
    try:
        client = mlflow.MlflowClient(uri, uri)
        for version in client.search_model_versions(f"name = '{MODEL}'"):
            if version.source == kept.resolve().as_uri():
                client.set_registered_model_alias(MODEL, "champion", version.version)
                return
    except (mlflow.exceptions.MlflowException, SQLAlchemyError, OSError) as exc:
        raise ModelUnavailableError(
            f"MLflow's alias champion could not follow ({type(exc).__name__}: {str(exc)[:200]}); "
            "the next scoring tries again."
        ) from exc


def _requirements() -> str:
    return "".join(f"{name}=={metadata.version(name).partition('+')[0]}\n" for name in _NEEDED)


def _signature(trained: Trained) -> dict[str, Any]:
    columns = trained.manifest.columns
    return {
        "inputs": {
            **dict.fromkeys(columns.numbers, "number or null"),
            **{category: list(values) for category, values in columns.values.items()},
        },
        "outputs": {"probability": "0..1"},
    }


def reliability(trained: Trained) -> Any:
    """How many of those with a probability left: ten bins of equal count, on the newest cut."""
    import numpy as np  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    said, truth = trained.evaluation.probabilities, trained.evaluation.test.labels
    parts = np.array_split(np.argsort(said, kind="stable"), 10)
    figure = Figure(figsize=(5, 5), layout="tight")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7")
    axes.plot([said[part].mean() for part in parts], [truth[part].mean() for part in parts], marker="o")
    axes.set_xlabel("said")
    axes.set_ylabel("left")
    return figure
