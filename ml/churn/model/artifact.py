"""A trained ensemble as a plain folder: manifest.json, forest.onnx, boosting.txt and network.safetensors.

Nothing in it is executed or unpickled. Every file's checksum stands in the manifest, the manifest's own in
manifest.sha256; its digest is what a registry allows.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ml.churn.errors import ModelTamperedError, ModelUnavailableError
from ml.churn.features.matrix import Columns

MANIFEST, CHECKSUM = "manifest.json", "manifest.sha256"
FOREST, BOOSTING, NETWORK, CARD = "forest.onnx", "boosting.txt", "network.safetensors", "MODEL_CARD.md"
MEMBERS = ("forest", "boosting", "network")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Costs(_Frozen):
    """Money of one decision to act: `accept` is the share of leavers who stay when they get the offer."""

    contact: float = 1.0
    offer: float = 10.0
    accept: float = 0.3
    months: float = 12.0


class Stack(_Frozen):
    """Logistic regression over the members' logits; weights are not negative, in the order of MEMBERS."""

    weights: tuple[float, float, float]
    bias: float


class Facts(_Frozen):
    """What is said about a model. Times are ISO 8601; metrics are of the newest cut, which no fold saw."""

    name: str
    created: str
    data_sha256: str
    code_version: str
    seed: int
    examples: int
    base_rate: float
    cuts: tuple[str, ...]
    horizon_days: int
    embargo_days: int
    metrics: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    settings: dict[str, float | int | str] = {}


class Manifest(_Frozen):
    """`medians`: of each column, for what is unknown; `threshold`: where expected profit is highest."""

    format: Literal[1] = 1
    facts: Facts
    columns: Columns
    medians: tuple[float, ...]
    stack: Stack
    threshold: float
    costs: Costs
    files: dict[str, str]


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest(folder: Path) -> str:
    """What identifies a model: the checksum of its manifest, which names all other checksums."""
    return sha256(folder / MANIFEST)


def seal(folder: Path, manifest: Manifest) -> Manifest:
    """Write the manifest with the checksums of all files that lie in the folder."""
    files = (file for file in sorted(folder.iterdir()) if file.name not in {MANIFEST, CHECKSUM})
    sealed = manifest.model_copy(update={"files": {file.name: sha256(file) for file in files}})
    (folder / MANIFEST).write_text(sealed.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (folder / CHECKSUM).write_text(digest(folder) + "\n", encoding="utf-8")
    return sealed


def read(folder: Path) -> Manifest:
    """The manifest, after it and every file it names were verified.

    Raises:
        ModelUnavailableError: something is missing.
        ModelTamperedError: something is not what was sealed.
    """
    try:
        sealed = (folder / CHECKSUM).read_text(encoding="utf-8").strip()
        text = (folder / MANIFEST).read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        raise ModelUnavailableError(
            f"There is no churn model in {folder}. Train one with: signalbox churn train"
        ) from exc
    if sealed != digest(folder):
        raise _tampered(folder, MANIFEST)
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as exc:
        raise ModelTamperedError(
            f"{folder / MANIFEST} can't be read by this version: {exc.errors()[0]['msg']}. Train anew."
        ) from exc
    for name, expected in manifest.files.items():
        if Path(name).name != name or not (folder / name).is_file() or sha256(folder / name) != expected:
            raise _tampered(folder, name)
    return manifest


def _tampered(folder: Path, name: str) -> ModelTamperedError:
    return ModelTamperedError(
        f"{folder / name} is not what was sealed, so the model is not loaded. Copy the folder again "
        "from where "
        "it was trained, or go back with: signalbox models rollback"
    )
