"""Fine-tunes are kept by all that they depend on: the same data and recipe are not trained twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from ml.tagging.clean import clean
from ml.tagging.encoder import WEIGHTS_SHA256
from ml.tagging.training import data, export
from ml.tagging.training.data import Names, Parts
from ml.tagging.training.finetune import Examples, Tuned, tune
from ml.tagging.training.recipe import Recipe

_HEAD, _EPOCHS = "head.", "epochs"


def cached(
    given: Parts, names: Names, recipe: Recipe, cache: Path, progress: Callable[[str, float], None]
) -> Tuned:
    file = cache / "tuned" / f"{key(given, recipe)}.safetensors"
    if file.exists():
        return _read(file)
    outside = [clean(example.text) for example in given.outside]
    inside = [clean(example.text) for example in given.train]
    labels = np.concatenate([names.numbers(given.train), np.full(len(outside), -1)])
    valid = Examples([clean(e.text) for e in given.valid], names.numbers(given.valid))
    found = tune(
        export.base(), Examples([*inside, *outside], labels), valid, len(names.labels), recipe, progress
    )
    keep(found, file)
    return found


def mean(one: Tuned, other: Tuned) -> Tuned:
    """Both fits' weights averaged, which beats either one (model soups, Wortsman et al., 2022).

    They have the same start, the encoder's weights and a head of zeros, so that they end near each other.
    """
    half = np.float32(0.5)
    return Tuned(
        {name: (tensor + other.encoder[name]) * half for name, tensor in one.encoder.items()},
        (one.weights + other.weights) * half,
        (one.bias + other.bias) * half,
        other.epochs,
    )


def key(given: Parts, recipe: Recipe) -> str:
    facts = f"{data.sha256(given.train, given.valid, given.outside)} {recipe} {WEIGHTS_SHA256}"
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def keep(tuned: Tuned, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        **tuned.encoder,
        f"{_HEAD}weights": tuned.weights,
        f"{_HEAD}bias": tuned.bias,
        _EPOCHS: np.array([tuned.epochs]),
    }
    partial = file.with_suffix(".partial")
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, partial)
    partial.replace(file)


def _read(file: Path) -> Tuned:
    tensors = load_file(file)
    weights, bias = tensors.pop(f"{_HEAD}weights"), tensors.pop(f"{_HEAD}bias")
    return Tuned(tensors, weights, bias, int(tensors.pop(_EPOCHS)[0]))
