"""BERT (Devlin et al., 2019) as two int8 ONNX graphs, built from safetensors weights without torch.

The early graph takes `input_ids`, int64 [batch, length], and `mask`, int32 of the same shape, 1 for tokens
and 0 for padding, through the first EARLY layers to `hidden`, float32 [batch, length, hidden]; the late one
takes that and the mask through all others. Both give a `view`, float32 [batch, hidden]: the mean of their
last layer over real tokens, scaled to length 1 (Sentence-BERT, Reimers & Gurevych, 2019). The early view is
of words and what stands beside them, the late one of what the text means; together they tell more than
either, and of many texts the early one tells enough.

Weights are int8 with one scale a column (the embedding table: a row); activations are quantised as they
come. The graph is made of ONNX Runtime's fused kernels from the start, for its optimiser would choose worse
ones: SkipLayerNormalization takes ten times as long as Add and LayerNormalization do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

_WORDS_ALONE = 2**20
"""Bytes: no other weight of a BERT this small has as many."""
EARLY = 2
"""Layers before the early view."""
OPSET = 20  # the first with Gelu
FUSED = "com.microsoft"
Array = npt.NDArray[np.float32]
Int8 = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Shape:
    """The numbers of a BERT's config.json that its graph depends on."""

    layers: int
    heads: int
    hidden: int
    epsilon: float


class _Graph:
    """Collects nodes; `op` and `fused` add one and return the name of its output."""

    def __init__(self, weights: Mapping[str, Array], shape: Shape) -> None:
        self.weights = weights
        self.shape = shape
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self._add("", kind, inputs, 1, attributes)[0]

    def fused(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self._add(FUSED, kind, inputs, 1, attributes)[0]

    def quantised(self, value: str) -> tuple[str, str, str]:
        """The value as uint8, its scale and its zero point."""
        whole, scale, zero = self._add("", "DynamicQuantizeLinear", (value,), 3, {})
        return whole, scale, zero

    def constant(self, value: npt.ArrayLike, kind: type = np.float32) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=kind), name))
        return name

    def weight(self, name: str) -> str:
        return self.constant(self.weights[name])

    def _add(
        self, domain: str, kind: str, inputs: tuple[str, ...], outputs: int, attributes: Mapping[str, Any]
    ) -> list[str]:
        name = f"{kind.lower()}_{len(self.nodes)}"
        names = [f"{name}_{number}" for number in range(outputs)]
        node = helper.make_node(kind, list(inputs), names, name=name, domain=domain, **attributes)
        self.nodes.append(node)
        return names


def build(weights: Mapping[str, Array], shape: Shape) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """The early graph and the late one."""
    tokens: list[str | int] = ["batch", "length"]
    mask = helper.make_tensor_value_info("mask", TensorProto.INT32, tokens)
    hidden = helper.make_tensor_value_info("hidden", TensorProto.FLOAT, [*tokens, shape.hidden])
    view = helper.make_tensor_value_info("view", TensorProto.FLOAT, ["batch", shape.hidden])
    early, late = _Graph(weights, shape), _Graph(weights, shape)
    read = _layers(early, _embeddings(early), range(EARLY))
    early.nodes.append(helper.make_node("Identity", [read], ["hidden"]))
    _view(early, read)
    _view(late, _layers(late, "hidden", range(EARLY, shape.layers)))
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, tokens)
    return _model(early, [ids, mask], [hidden, view]), _model(late, [hidden, mask], [view])


def _layers(graph: _Graph, hidden: str, numbers: range) -> str:
    for number in numbers:
        hidden = _layer(graph, f"encoder.layer.{number}.", hidden)
    return hidden


def _view(graph: _Graph, hidden: str) -> None:
    summed = _sum_over_tokens(graph, hidden)
    graph.nodes.append(helper.make_node("LpNormalization", [summed], ["view"], axis=1, p=2))


def _model(
    graph: _Graph, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]
) -> onnx.ModelProto:
    made = helper.make_graph(graph.nodes, "bert", inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=9)
    onnx.checker.check_model(model)
    return model


def save(models: tuple[onnx.ModelProto, onnx.ModelProto], early: Path, late: Path) -> None:
    """Beside the early graph lies the table of words, of which a process then only loads what it reads."""
    onnx.save(
        models[0],
        early,
        save_as_external_data=True,
        location=f"{early.stem}.words",
        size_threshold=_WORDS_ALONE,
    )
    onnx.save(models[1], late)


def _embeddings(graph: _Graph) -> str:
    words, scales = quantise(graph.weights["embeddings.word_embeddings.weight"], axis=1)
    row = graph.op(
        "Cast", graph.op("Gather", graph.constant(words, np.int8), "input_ids"), to=TensorProto.FLOAT
    )
    word = graph.op("Mul", row, graph.op("Gather", graph.constant(scales), "input_ids"))
    # One text is one segment, so the segment's vector is part of every position's.
    segment = graph.weights["embeddings.token_type_embeddings.weight"][0]
    positions = graph.constant(graph.weights["embeddings.position_embeddings.weight"] + segment)
    length = graph.op("Shape", "input_ids", start=1, end=2)
    position = graph.op("Slice", positions, graph.constant([0], np.int64), length)
    return _layer_norm(graph, "embeddings.LayerNorm", graph.op("Add", word, position))


def _layer(graph: _Graph, prefix: str, hidden: str) -> str:
    attended = _dense(graph, prefix + "attention.output.dense", _attention(graph, prefix, hidden))
    hidden = _layer_norm(graph, prefix + "attention.output.LayerNorm", graph.op("Add", attended, hidden))
    wide = graph.op("Gelu", _dense(graph, prefix + "intermediate.dense", hidden))
    output = _dense(graph, prefix + "output.dense", wide)
    return _layer_norm(graph, prefix + "output.LayerNorm", graph.op("Add", output, hidden))


def _attention(graph: _Graph, prefix: str, hidden: str) -> str:
    """Query, key and value in one product, then all heads, without padding's share."""
    parts = [f"{prefix}attention.self.{name}" for name in ("query", "key", "value")]
    weights, scales = quantise(
        np.concatenate([graph.weights[f"{p}.weight"].T for p in parts], axis=1), axis=0
    )
    bias = np.concatenate([graph.weights[f"{p}.bias"] for p in parts])
    whole, scale, zero = graph.quantised(hidden)
    return graph.fused(
        "QAttention",
        whole,
        graph.constant(weights, np.int8),
        graph.constant(bias),
        scale,
        graph.constant(scales.ravel()),
        "mask",
        zero,
        graph.constant(np.zeros(len(bias)), np.int8),
        num_heads=graph.shape.heads,
    )


def _dense(graph: _Graph, name: str, value: str) -> str:
    weights, scales = quantise(graph.weights[f"{name}.weight"].T, axis=0)
    return graph.fused(
        "DynamicQuantizeMatMul",
        value,
        graph.constant(weights, np.int8),
        graph.constant(scales.ravel()),
        graph.constant(np.zeros(scales.size), np.int8),
        graph.weight(f"{name}.bias"),
    )


def _layer_norm(graph: _Graph, name: str, value: str) -> str:
    scale, bias = graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")
    return graph.op("LayerNormalization", value, scale, bias, axis=-1, epsilon=graph.shape.epsilon)


def _sum_over_tokens(graph: _Graph, hidden: str) -> str:
    """Scaled to length 1, the sum over real tokens is the same as their mean."""
    axis = graph.constant([1], np.int64)
    tokens = graph.op("Unsqueeze", graph.op("Cast", "mask", to=TensorProto.FLOAT), axis)
    return graph.op("Squeeze", graph.op("MatMul", tokens, hidden), axis)


def quantise(weights: Array, axis: int) -> tuple[Int8, Array]:
    """Symmetric int8 and the scales, which are the largest magnitudes along `axis`, over 127."""
    scales = (np.abs(weights).max(axis=axis, keepdims=True) / 127).astype(np.float32)
    whole = np.round(weights / np.maximum(scales, np.finfo(np.float32).tiny))
    return whole.astype(np.int8), scales
