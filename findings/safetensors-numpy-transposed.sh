#!/usr/bin/env bash
# safetensors 0.8.0: `safetensors.numpy.save_file` and `save` write a transposed matrix (Fortran order: w.T, an array of
# scikit-learn's PCA) in the order of its memory under the shape of the transposed one. Reading gives other numbers.
# Expected: the matrix that was saved, as version 0.7.0 writes it, or an error, as `safetensors.torch.save_file` raises.
# Seen: [[1, 2, 3], [4, 5, 6]].T comes back as [[1, 2], [3, 4], [5, 6]]; a copy in C order comes back right. This is
# issue 825 of safetensors.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile safetensors==0.8.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from safetensors.numpy import load, load_file, save, save_file

print("safetensors", version("safetensors"), "numpy", version("numpy"))
codes = np.array([[1, 2, 3], [4, 5, 6]], np.int8).T
save_file({"turned": codes, "copied": np.ascontiguousarray(codes)}, "codes.safetensors")
read = load_file("codes.safetensors")
print("saved: ", codes.tolist())
print("turned:", read["turned"].tolist(), " copied:", read["copied"].tolist())
assert read["turned"].tolist() == [[1, 2], [3, 4], [5, 6]]
assert read["copied"].tolist() == codes.tolist() == [[1, 4], [2, 5], [3, 6]]
assert load(save({"turned": codes}))["turned"].tolist() == [[1, 2], [3, 4], [5, 6]]
PYTHON
