"""A random forest (Breiman, 2001) served by ONNX Runtime: trees as data, averaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Forest:
    """Args:
    file: an ONNX graph with one TreeEnsembleRegressor.
    """

    def __init__(self, file: Path, threads: int = 2) -> None:
        import onnxruntime  # noqa: PLC0415  # not in the small web image

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def probabilities(self, matrix: Floats) -> Floats:
        """[rows] from [rows, columns] without NaN."""
        found = self._session.run(None, {"rows": matrix.astype(np.float32)})[0]
        return np.asarray(found, dtype=np.float64).ravel()


def save(forest: Any, file: Path) -> None:
    """Write a fitted sklearn.ensemble.RandomForestClassifier of two classes."""
    from onnx import TensorProto, checker, helper  # noqa: PLC0415
    from onnx import save as write  # noqa: PLC0415

    nodes: dict[str, Any] = _nodes(forest)
    ensemble = helper.make_node(
        "TreeEnsembleRegressor", ["rows"], ["probability"], domain="ai.onnx.ml", n_targets=1,
        aggregate_function="SUM", post_transform="NONE", **nodes,
    )  # fmt: skip
    rows = helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, forest.n_features_in_])
    answer = helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1])
    graph = helper.make_graph([ensemble], "forest", [rows], [answer])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    checker.check_model(model)
    write(model, str(file))


def _nodes(forest: Any) -> dict[str, Any]:
    """The trees as flat lists; a leaf weighs its share of churners, divided by the number of trees."""
    at: dict[str, list[Any]] = {
        f"nodes_{name}": []
        for name in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")
    }
    leaves: dict[str, list[Any]] = {f"target_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")}
    for number, estimator in enumerate(forest.estimators_):
        tree = estimator.tree_
        leaf = tree.children_left < 0
        size = tree.node_count
        at["nodes_treeids"] += [number] * size
        at["nodes_nodeids"] += range(size)
        at["nodes_featureids"] += np.where(leaf, 0, tree.feature).tolist()
        at["nodes_values"] += _below(np.where(leaf, 0.0, tree.threshold)).tolist()
        at["nodes_modes"] += np.where(leaf, "LEAF", "BRANCH_LEQ").tolist()
        at["nodes_truenodeids"] += np.where(leaf, 0, tree.children_left).tolist()
        at["nodes_falsenodeids"] += np.where(leaf, 0, tree.children_right).tolist()
        share = tree.value[:, 0, 1] / tree.value[:, 0, :].sum(axis=1) / len(forest.estimators_)
        where = np.flatnonzero(leaf)
        leaves["target_treeids"] += [number] * len(where)
        leaves["target_nodeids"] += where.tolist()
        leaves["target_ids"] += [0] * len(where)
        leaves["target_weights"] += share[where].tolist()
    return at | leaves


def _below(thresholds: Floats) -> npt.NDArray[np.float32]:
    """The greatest float32 that is not above: "x <= t" then means the same for every float32 x."""
    rounded = thresholds.astype(np.float32)
    above = rounded > thresholds
    return np.where(above, np.nextafter(rounded, np.float32(-np.inf)), rounded)
