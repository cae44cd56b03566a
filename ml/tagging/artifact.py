"""A trained model as a plain folder: manifest.json, head.safetensors and, if it was tuned, its own encoder.

Nothing in it is ever executed or unpickled. Every file's checksum stands in the manifest and is verified on
load; the manifest's own stands in manifest.sha256.
"""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ml.tagging.cached import sha256
from ml.tagging.calibration import Bands
from ml.tagging.encoder import WEIGHTS_SHA256, WIDTH, Encoder
from ml.tagging.errors import ModelTamperedError, ModelUnavailableError
from ml.tagging.head import Early, Head

MANIFEST, CHECKSUM = "manifest.json", "manifest.sha256"
HEAD, CARD, CONFUSION = "head.safetensors", "MODEL_CARD.md", "confusion.csv"
ENCODER, LATE, WORDS, TOKENIZER = "encoder.onnx", "encoder-late.onnx", "encoder.words", "tokenizer.json"
Mode = Literal["few-shot", "head", "full", "adapted"]


Matrix = npt.NDArray[np.float32]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Band(_Frozen):
    apply_at: float
    suggest_at: float


class Told(_Frozen):
    """What a model tells by the early view alone; its bias lies in the head's file."""

    temperature: float
    enough_at: float


class Facts(_Frozen):
    """What is said about a model. `base`: checksum of the weights that training started from."""

    name: str
    mode: Mode
    precision: float
    data_sha256: str
    examples: int
    languages: tuple[str, ...] = ("en",)
    seed: int = 0
    created: str = ""
    base: str = WEIGHTS_SHA256
    settings: dict[str, float | int | str] = {}
    metrics: dict[str, float] = {}


class Manifest(_Frozen):
    """`owner`: for each label the place of its category; `several`: a text may have more than one."""

    format: Literal[1] = 1
    facts: Facts
    labels: tuple[str, ...]
    categories: tuple[str, ...]
    owner: tuple[int, ...]
    temperature: float
    bands: dict[str, Band]
    scope_at: float | None
    several: bool = False
    early: Told | None = None
    files: dict[str, str]

    @property
    def version(self) -> str:
        return f"{self.facts.name}/{self.facts.mode}/{self.files[HEAD][:8]}"

    @property
    def languages(self) -> tuple[str, ...]:
        return self.facts.languages

    def head(self, folder: Path) -> Head:
        tensors = load_file(folder / HEAD)
        told = self.early
        early = Early(tensors["early_bias"], told.temperature, told.enough_at) if told else None
        bands = {name: Bands(band.apply_at, band.suggest_at) for name, band in self.bands.items()}
        return Head(
            self.labels,
            self.categories,
            self.owner,
            self.fitting(tensors["weights"]),
            tensors["bias"],
            self.temperature,
            bands,
            self.scope_at,
            self.several,
            early,
        )

    def fitting(self, weights: Matrix) -> Matrix:
        """Weights for what the encoder gives; those of older models, for the late view alone, get zeros."""
        missing = 0 if ENCODER in self.files else WIDTH - len(weights)
        return np.pad(weights, ((missing, 0), (0, 0)))


def save_head(head: Head, folder: Path) -> None:
    tensors = {"weights": head.weights, "bias": head.bias}
    if head.early:
        tensors["early_bias"] = head.early.bias
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, folder / HEAD)


def save_confusion(table: npt.NDArray[np.int64], names: Sequence[str], folder: Path) -> None:
    """Of the validation texts: rows are the truth, columns what was said."""
    with (folder / CONFUSION).open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["", *names])
        rows.writerows([name, *counts] for name, counts in zip(names, table.tolist(), strict=True))


def confusion(folder: Path) -> npt.NDArray[np.int64] | None:
    """None: the model was not judged on validation texts, or they may have several categories."""
    if not (folder / CONFUSION).exists():
        return None
    with (folder / CONFUSION).open(newline="", encoding="utf-8") as stream:
        return np.array([row[1:] for row in list(csv.reader(stream))[1:]], np.int64)


def seal(folder: Path, head: Head, facts: Facts) -> Manifest:
    """Write the manifest, with the checksums of all files that lie in the folder."""
    present = (file for file in sorted(folder.iterdir()) if file.name not in {MANIFEST, CHECKSUM})
    manifest = Manifest(
        facts=facts,
        labels=head.labels,
        categories=head.categories,
        owner=head.owner,
        temperature=head.temperature,
        bands={name: Band(apply_at=b.apply_at, suggest_at=b.suggest_at) for name, b in head.bands.items()},
        scope_at=head.scope_at,
        several=head.several,
        early=head.early and Told(temperature=head.early.temperature, enough_at=head.early.enough_at),
        files={file.name: sha256(file) for file in present},
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (folder / CHECKSUM).write_text(sha256(folder / MANIFEST) + "\n", encoding="utf-8")
    return manifest


def read(folder: Path) -> Manifest:
    """The manifest, after it and every file it names were verified."""
    try:
        sealed = (folder / CHECKSUM).read_text(encoding="utf-8").strip()
        found = sha256(folder / MANIFEST)
        text = (folder / MANIFEST).read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        raise ModelUnavailableError(
            f"There is no model in {folder}: {Path(exc.filename).name} is missing. "
            "Train one with: signalbox tags train DATA --out FOLDER"
        ) from exc
    if sealed != found:
        raise _tampered(folder, MANIFEST)
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as exc:
        raise ModelTamperedError(
            f"{folder / MANIFEST} can't be read by this version: {exc.errors()[0]['msg']}. "
            "Train the model anew."
        ) from exc
    for name, expected in manifest.files.items():
        _verify(folder, name, expected)
    return manifest


def digest(folder: Path) -> str:
    """The manifest's checksum: through the checksums in it, the model's own."""
    return sha256(folder / MANIFEST)


def _verify(folder: Path, name: str, expected: str) -> None:
    if Path(name).name != name:
        raise ModelTamperedError(
            f"The model in {folder} names a file outside its folder: {name}. Discard it."
        )
    if not (folder / name).is_file():
        raise ModelUnavailableError(f"The model in {folder} lacks {name}. Copy the folder again, as a whole.")
    if sha256(folder / name) != expected:
        raise _tampered(folder, name)


def _tampered(folder: Path, name: str) -> ModelTamperedError:
    return ModelTamperedError(
        f"{folder / name} was changed after the model was sealed. "
        "Copy the folder again from where it was trained, or promote the model again."
    )


def load(folder: Path, cache: Path, threads: int = 1) -> tuple[Manifest, Encoder, Head]:
    manifest = read(folder)
    try:
        head = manifest.head(folder)
    except (SafetensorError, KeyError) as exc:
        raise _tampered(folder, HEAD) from exc
    if ENCODER not in manifest.files:
        if manifest.facts.base != WEIGHTS_SHA256:
            raise ModelUnavailableError(
                f"The model in {folder} was trained on another base encoder than the one installed. "
                "Train it anew."
            )
        return manifest, Encoder.load(cache, threads), head
    late = folder.resolve() / LATE if LATE in manifest.files else None
    return manifest, Encoder(folder.resolve() / ENCODER, late, folder / TOKENIZER, threads), head


def replace_folder(source: Path, target: Path) -> None:
    """Put `source` in place of `target`. A reader sees the old folder or the new one.

    `target` is a symbolic link to a folder beside it, for that can be exchanged in one step.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        link = Path(scratch) / "link"
        link.symlink_to(os.path.relpath(source, target.parent), target_is_directory=True)
        link.replace(target)
