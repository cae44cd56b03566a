"""The int8 graph against BERT in plain float32 numpy, and how texts are put into batches."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from ml.tagging import encoder as encoders
from ml.tagging.encoder import Encoder, by_length
from ml.tagging.errors import ModelTamperedError
from ml.tagging.onnx_bert import EARLY, quantise
from ml.tagging.tagger import examples

pytestmark = pytest.mark.unit
Array = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def encoder(cache: Path) -> Encoder:
    return Encoder.load(cache, threads=2)


class Reference:
    """The same network in float32, written from the paper."""

    def __init__(self) -> None:
        source = encoders._source()
        self.w = load_file(source / "model.safetensors")
        self.config = json.loads((source / "config.json").read_text())
        self.tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(encoders.MAX_TOKENS)

    def encode(self, text: str) -> Array:
        ids = self.tokenizer.encode(text).ids
        table = {
            name: self.w[f"embeddings.{name}_embeddings.weight"]
            for name in ("word", "position", "token_type")
        }
        x = self.norm(
            "embeddings.LayerNorm",
            table["word"][ids] + table["position"][: len(ids)] + table["token_type"][0],
        )
        early = x
        for layer in range(self.config["num_hidden_layers"]):
            x = self.layer(f"encoder.layer.{layer}", x)
            early = x if layer + 1 == EARLY else early
        means = [hidden.mean(axis=0) for hidden in (early, x)]
        return np.hstack([mean / np.linalg.norm(mean) for mean in means])

    def layer(self, name: str, x: Array) -> Array:
        x = self.norm(f"{name}.attention.output.LayerNorm", x + self.attention(f"{name}.attention", x))
        wide = self.dense(f"{name}.intermediate.dense", x)
        # GELU in Abramowitz and Stegun's tanh form; within 1e-3 of the exact one.
        gelu = 0.5 * wide * (1 + np.tanh(np.sqrt(2 / np.pi) * (wide + 0.044715 * wide**3)))
        return self.norm(f"{name}.output.LayerNorm", x + self.dense(f"{name}.output.dense", gelu))

    def attention(self, name: str, x: Array) -> Array:
        heads = self.config["num_attention_heads"]
        q, k, v = (
            self.dense(f"{name}.self.{part}", x).reshape(len(x), heads, -1).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        weights = np.exp(q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1]))
        mixed = weights / weights.sum(axis=-1, keepdims=True) @ v
        return self.dense(f"{name}.output.dense", mixed.swapaxes(0, 1).reshape(len(x), -1))

    def dense(self, name: str, x: Array) -> Array:
        return x @ self.w[f"{name}.weight"].T + self.w[f"{name}.bias"]

    def norm(self, name: str, x: Array) -> Array:
        spread = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return spread * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]


def test_int8_points_where_float32_does(encoder: Encoder) -> None:
    texts = [text for text, _ in examples("heldout")]
    reference = Reference()
    products = encoder.encode(texts) * np.array([reference.encode(text) for text in texts])
    cosines = products.reshape(len(texts), encoders.VIEWS, -1).sum(axis=2)
    assert (cosines.mean(axis=0) >= 0.99).all()
    assert cosines.min() >= 0.95


def test_a_text_means_the_same_in_any_company(encoder: Encoder) -> None:
    texts = ["Where is my parcel?", "word " * 300, "", "Refund please", "Ä🎉"]
    together = encoder.encode(texts)
    alone = np.vstack([encoder.encode([text]) for text in texts])
    assert together.shape == (5, encoders.WIDTH)
    views = together.reshape(5, encoders.VIEWS, -1)
    np.testing.assert_allclose(np.linalg.norm(views, axis=2), 1, atol=1e-5)
    # Activations share a scale in a batch, so int8 makes them differ a little.
    assert ((views * alone.reshape(views.shape)).sum(axis=2) > 0.95).all()


def test_who_is_told_early_is_spared_the_late_view(encoder: Encoder) -> None:
    texts = ["Where is my parcel?", "word " * 300, "", "Refund please", "Ä🎉"]
    whole = encoder.encode(texts)
    lengths = {text: len(text) for text in texts}

    def short(early: encoders.Vectors) -> encoders.Flags:
        """The early views come batch by batch; known by the whole readings they belong to."""
        nearest = (early @ whole[:, : encoders.HIDDEN].T).argmax(axis=1)
        return np.array([lengths[texts[at]] < 15 for at in nearest])

    vectors, told = encoder.encode_until(texts, short)
    assert told.tolist() == [False, False, True, True, True]
    assert not vectors[told, encoders.HIDDEN :].any()
    assert ((vectors * whole)[:, : encoders.HIDDEN].sum(axis=1) > 0.95).all()
    assert (encoders.meaning(vectors * whole)[~told].sum(axis=1) > 0.95).all()


def test_no_texts_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoders.WIDTH)


@pytest.mark.parametrize("name", [encoders.GRAPH, encoders.LATE, "encoder.words"])
def test_a_cache_that_was_tampered_with_is_built_anew(
    encoder: Encoder, cache: Path, tmp_path: Path, name: str
) -> None:
    copy = shutil.copytree(cache, tmp_path / "models")
    [file] = copy.glob(f"{encoders.NAME}-*/{name}")
    good = file.read_bytes()
    file.write_bytes(good[:-1] + b"?")
    again = Encoder.load(copy)
    assert file.read_bytes() == good
    assert again.encode(["hello"]) == pytest.approx(encoder.encode(["hello"]))


def test_tampered_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"?")
    monkeypatch.setattr(encoders, "_source", lambda: tmp_path)
    with pytest.raises(ModelTamperedError, match="is not the pinned model"):
        Encoder.load(tmp_path / "cache")


def test_what_is_read_to_its_end(encoder: Encoder) -> None:
    assert encoder.reads_whole("")
    assert encoder.reads_whole("incomprehensibilities " * 30)
    assert not encoder.reads_whole("word " * 300)


@given(st.lists(st.integers(2, 256), max_size=60), st.integers(1, 600))
def test_batches_hold_every_text_once_and_stay_in_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(by_length(lengths, budget))
    assert sorted(number for batch in batches for number in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[n] for n in batch) <= budget
    flat = [lengths[number] for batch in batches for number in batch]
    assert flat == sorted(flat)


def test_quantised_weights_stay_within_half_a_step() -> None:
    weights = np.random.default_rng(1).normal(size=(32, 8)).astype(np.float32)
    weights[:, 3] = 0
    whole, scales = quantise(weights, axis=0)
    assert (np.abs(whole * scales - weights) <= scales / 2 + 1e-6).all()
