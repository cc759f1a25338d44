#!/usr/bin/env bash
# usearch 2.26.6: an index of floats takes a NumPy array of int8 for numbers between -1 and 1 times 127: what was 100 is kept, and
# asked for, as 0.787. The same numbers as float16 or float64 stay as they are; int16, int32 and int64 are refused.
# Expected: the numbers that were given, as NumPy and other indexes of floats convert them, or an error.
# Seen: whole numbers added as float32, and the first of them as a query in int8: its squared distance is 19686 and not 0. Added
# as int8, the vector with the product 120 comes after one with 0.96. The documentation has the factor for an index of i8 alone.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile usearch==2.26.6 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from usearch.index import Index

print("usearch", version("usearch"), "numpy", version("numpy"))
vectors = np.array([[100, 100], [90, 110], [-100, 100]], np.float32)
index = Index(ndim=2, metric="l2sq", dtype="f32")
index.add(np.arange(3), vectors)
for kind in (np.float64, np.int8):
    found = index.search(vectors[0].astype(kind), 3)
    print("query as", kind.__name__, found.keys, found.distances)
    assert round(float(found.distances[0])) == (19686 if kind == np.int8 else 0)
index = Index(ndim=2, metric="ip", dtype="f32")
index.add(0, np.array([0.96, 0], np.float32))
index.add(1, np.array([120, 0], np.int8))
found = index.search(np.array([1, 0], np.float32), 2)
print("kept", index.get(1), "order by product", found.keys, found.distances)
assert found.keys.tolist() == [0, 1]
assert abs(index.get(1)[0] - 120 / 127) < 1e-6
for kind in (np.int16, np.int32, np.int64):
    try:
        index.add(2, np.array([120, 0], kind))
    except ValueError as error:
        print(kind.__name__, error)
    else:
        raise AssertionError(kind)
PYTHON
