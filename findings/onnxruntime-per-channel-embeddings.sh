#!/usr/bin/env bash
# onnxruntime 1.32.0: `quantize_dynamic(..., per_channel=True)` gives a matrix of MatMul a scale for each column and a table of
# embeddings (Gather) one scale for all rows, as without the option. One row with a large number takes the others' digits.
# Expected: a scale for each row or column of the table too, or a word that the option does not reach Gather; it is quantized
# by default.
# Seen: a table of three words, one of them with 100: the other two become the same vector, zeros. The scale has no dimension
# with per_channel=True and without it; that of the matrix has one with it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
import logging
from importlib.metadata import version

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

logging.disable(logging.WARNING)
print("onnxruntime", version("onnxruntime"), "onnx", version("onnx"), "numpy", version("numpy"))
table = np.array([[0.1, -0.15, 0.15, 0.1], [100, 0, 0, 0], [-0.1, 0.15, -0.15, 0.1]], np.float32)
matrix = np.eye(4, dtype=np.float32)
graph = helper.make_graph(
    [helper.make_node("Gather", ["table", "ids"], ["words"]), helper.make_node("MatMul", ["words", "matrix"], ["out"])],
    "graph",
    [helper.make_tensor_value_info("ids", TensorProto.INT64, [None])],
    [helper.make_tensor_value_info("words", TensorProto.FLOAT, [None, 4]),
     helper.make_tensor_value_info("out", TensorProto.FLOAT, [None, 4])],
    [numpy_helper.from_array(table, "table"), numpy_helper.from_array(matrix, "matrix")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
model.ir_version = 9
onnx.save(model, "model.onnx")
for per_channel in (False, True):
    quantize_dynamic("model.onnx", "int8.onnx", per_channel=per_channel, weight_type=QuantType.QInt8)
    shapes = {i.name: list(i.dims) for i in onnx.load("int8.onnx").graph.initializer if i.name.endswith("scale")}
    words = onnxruntime.InferenceSession("int8.onnx").run(["words"], {"ids": np.array([0, 1, 2])})[0]
    print("per_channel", per_channel, "shapes of the scales", shapes)
    print("words 0 and 2:", words[0], words[2])
    assert shapes["table_scale"] == []
    assert shapes["matrix_scale"] == ([4] if per_channel else [])
    assert not words[0].any() and not words[2].any()
PYTHON
