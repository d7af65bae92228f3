"""Tiny ONNX taggers: the mean colour through one matrix, then a sigmoid as in published ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

SIDE = 12
WEIGHTS = np.array([[0.5, -1.0, 0.25, 2.0], [1.0, 0.5, -2.0, 0.1], [-0.3, 0.2, 1.0, -1.5]], "f4")


def save_onnx(path: Path, *, batch: str | int = "batch", side: int = SIDE, last: str = "Sigmoid"):
    """Write a network of four outputs whose input is [batch, side, side, 3]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["pixels", "axes"], ["mean"], keepdims=0),
            helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
            helper.make_node(last, ["logits"], ["chances"]),
        ],
        "tagger",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [batch, side, side, 3])],
        [helper.make_tensor_value_info("chances", TensorProto.FLOAT, [batch, 4])],
        [
            numpy_helper.from_array(WEIGHTS, "weights"),
            numpy_helper.from_array(np.array([1, 2], "i8"), "axes"),
        ],
    )
    opsets = [helper.make_opsetid("", 18)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
