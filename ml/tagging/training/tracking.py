"""One MLflow run for a training: parameters, data hash, metrics, confusion matrix and model card."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.tagging import artifact
from ml.tagging.artifact import Manifest
from ml.tagging.errors import ModelUnavailableError

EXPERIMENT = MODEL = "tagging"


def _client(store: Path) -> Any:
    """MLflow on its own SQLite database: its migrations never meet the product's."""
    try:
        from mlflow import MlflowClient  # noqa: PLC0415
    except ImportError as exc:
        raise ModelUnavailableError(
            "MLflow is not installed. Run: make train-deps, or leave out --track."
        ) from exc
    store.mkdir(parents=True, exist_ok=True)
    uri = f"sqlite:///{store / 'mlflow.db'}"
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def record(store: Path, folder: Path, manifest: Manifest, table: npt.NDArray[np.int64] | None) -> str:
    """The run's id. The model becomes a version of the registered model, with the alias challenger."""
    client, facts = _client(store), manifest.facts
    found = client.get_experiment_by_name(EXPERIMENT)
    where = (store / "artifacts").resolve().as_uri()
    number = found.experiment_id if found else client.create_experiment(EXPERIMENT, artifact_location=where)
    run = client.create_run(number, run_name=manifest.version)
    name = run.info.run_id
    for key, value in {
        **facts.settings,
        "mode": facts.mode,
        "seed": facts.seed,
        "data": facts.data_sha256,
    }.items():
        client.log_param(name, key, value)
    for key, measure in facts.metrics.items():
        client.log_metric(name, key, measure)
    for file in (artifact.MANIFEST, artifact.CARD):
        client.log_artifact(name, str(folder / file))
    if table is not None:
        with tempfile.TemporaryDirectory() as scratch:
            client.log_artifact(
                name, str(picture(table, manifest.categories, Path(scratch) / "confusion.png"))
            )
    client.set_terminated(name)
    _register(client, folder, name)
    return str(name)


def _register(client: Any, folder: Path, run: str) -> None:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        client.get_registered_model(MODEL)
    except MlflowException:
        client.create_registered_model(MODEL)
    made = client.create_model_version(MODEL, folder.resolve().as_uri(), run_id=run)
    client.set_registered_model_alias(MODEL, "challenger", made.version)


def promoted(store: Path, folder: Path) -> None:
    """Move the alias champion to the version that was made of the folder, if MLflow knows it."""
    client = _client(store)
    source = folder.resolve().as_uri()
    for version in client.search_model_versions(f"name = '{MODEL}'"):
        if version.source == source:
            client.set_registered_model_alias(MODEL, "champion", version.version)
            return


def picture(table: npt.NDArray[np.int64], names: Sequence[str], file: Path) -> Path:
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(8, 7), layout="tight")
    axes = figure.subplots()
    axes.imshow(np.log1p(table), cmap="Blues")
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("said")
    axes.set_ylabel("true")
    figure.savefig(file)
    return file
