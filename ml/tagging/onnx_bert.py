"""BERT (Devlin et al., 2019) as an ONNX graph, built from safetensors weights without torch.

Inputs: `input_ids` and `attention_mask`, int64 [batch, length]. Output: `embedding`, float32
[batch, hidden], the mean of the last layer over real tokens, scaled to length 1 (Sentence-BERT,
Reimers & Gurevych, 2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20  # the first with Gelu
Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Shape:
    """The numbers of a BERT's config.json that its graph depends on."""

    layers: int
    heads: int
    hidden: int
    epsilon: float


class _Graph:
    """Collects nodes; every method adds some and returns the name of their output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, value: npt.ArrayLike, kind: type = np.float32) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=kind), name))
        return name


def build(weights: Mapping[str, Array], shape: Shape) -> onnx.ModelProto:
    graph = _Graph()
    hidden = _embeddings(graph, weights, shape)
    mask = _additive_mask(graph)
    for layer in range(shape.layers):
        hidden = _layer(graph, weights, shape, f"encoder.layer.{layer}.", hidden, mask)
    pooled = _mean_pool(graph, hidden)
    graph.nodes.append(helper.make_node("LpNormalization", [pooled], ["embedding"], axis=1, p=2))
    rows: list[str | int] = ["batch", "length"]
    made = helper.make_graph(
        graph.nodes,
        "bert",
        [helper.make_tensor_value_info(n, TensorProto.INT64, rows) for n in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", shape.hidden])],
        graph.constants,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def _embeddings(graph: _Graph, weights: Mapping[str, Array], shape: Shape) -> str:
    words = graph.op("Gather", graph.constant(weights["embeddings.word_embeddings.weight"]), "input_ids")
    length = graph.op("Shape", "input_ids", start=1, end=2)
    positions = graph.op(
        "Slice",
        graph.constant(weights["embeddings.position_embeddings.weight"]),
        graph.constant([0], np.int64),
        length,
    )
    segment = graph.constant(weights["embeddings.token_type_embeddings.weight"][0])  # one text, one segment
    summed = graph.op("Add", graph.op("Add", words, positions), segment)
    return _layer_norm(graph, weights, "embeddings.LayerNorm", summed, shape.epsilon)


def _additive_mask(graph: _Graph) -> str:
    """0 for real tokens, a large negative number for padding; [batch, 1, 1, length]."""
    mask = graph.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    spread = graph.op("Unsqueeze", mask, graph.constant([1, 2], np.int64))
    return graph.op("Mul", graph.op("Sub", spread, graph.constant(1.0)), graph.constant(10_000.0))


def _layer(
    graph: _Graph, weights: Mapping[str, Array], shape: Shape, prefix: str, hidden: str, mask: str
) -> str:
    attended = _attention(graph, weights, shape, prefix + "attention.", hidden, mask)
    output = _dense(graph, weights, prefix + "attention.output.dense", attended)
    hidden = _layer_norm(
        graph, weights, prefix + "attention.output.LayerNorm", graph.op("Add", output, hidden), shape.epsilon
    )
    wide = graph.op("Gelu", _dense(graph, weights, prefix + "intermediate.dense", hidden))
    output = _dense(graph, weights, prefix + "output.dense", wide)
    return _layer_norm(
        graph, weights, prefix + "output.LayerNorm", graph.op("Add", output, hidden), shape.epsilon
    )


def _attention(
    graph: _Graph, weights: Mapping[str, Array], shape: Shape, prefix: str, hidden: str, mask: str
) -> str:
    size = shape.hidden // shape.heads
    split = graph.constant([0, 0, shape.heads, size], np.int64)

    def head(name: str, order: list[int]) -> str:
        flat = graph.op("Reshape", _dense(graph, weights, f"{prefix}self.{name}", hidden), split)
        return graph.op("Transpose", flat, perm=order)

    query, key = head("query", [0, 2, 1, 3]), head("key", [0, 2, 3, 1])
    scaled = graph.op("Mul", graph.op("MatMul", query, key), graph.constant(size**-0.5))
    share = graph.op("Softmax", graph.op("Add", scaled, mask), axis=-1)
    mixed = graph.op("MatMul", share, head("value", [0, 2, 1, 3]))
    joined = graph.op("Transpose", mixed, perm=[0, 2, 1, 3])
    return graph.op("Reshape", joined, graph.constant([0, 0, shape.hidden], np.int64))


def _dense(graph: _Graph, weights: Mapping[str, Array], name: str, value: str) -> str:
    product = graph.op("MatMul", value, graph.constant(weights[f"{name}.weight"].T))
    return graph.op("Add", product, graph.constant(weights[f"{name}.bias"]))


def _layer_norm(graph: _Graph, weights: Mapping[str, Array], name: str, value: str, epsilon: float) -> str:
    scale, bias = graph.constant(weights[f"{name}.weight"]), graph.constant(weights[f"{name}.bias"])
    return graph.op("LayerNormalization", value, scale, bias, axis=-1, epsilon=epsilon)


def _mean_pool(graph: _Graph, hidden: str) -> str:
    mask = graph.op(
        "Unsqueeze",
        graph.op("Cast", "attention_mask", to=TensorProto.FLOAT),
        graph.constant([2], np.int64),
    )
    axis = graph.constant([1], np.int64)
    total = graph.op("ReduceSum", graph.op("Mul", hidden, mask), axis, keepdims=0)
    return graph.op("Div", total, graph.op("ReduceSum", mask, axis, keepdims=0))
