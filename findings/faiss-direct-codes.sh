#!/usr/bin/env bash
# faiss-cpu 1.15.1 (x86-64): an index of QT_8bit_direct_signed or QT_8bit_direct, for vectors that are whole numbers already, cuts
# fractions off and wraps what lies outside of its range; QT_8bit and the others hold such numbers at the ends of theirs.
# Expected: the nearest code and the ends of the range, as with the other quantizers, or an error.
# Seen: of [127, 128, 200, -129] QT_8bit_direct_signed keeps [127, -128, -56, 127], so that the vector is no longer the nearest
# to itself; 1.7 becomes 1 and -0.5 becomes -1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile faiss-cpu==1.15.1 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

import faiss
import numpy as np

print("faiss-cpu", version("faiss-cpu"), "numpy", version("numpy"))
vectors = np.array([[127, 128, 200, -129], [1.7, -1.7, 0.5, -0.5], [120, 120, 120, -120]], np.float32)


def index_of(kind):
    index = faiss.IndexScalarQuantizer(4, kind, faiss.METRIC_L2)
    index.train(np.array([[-128] * 4, [127] * 4], np.float32))
    index.add(vectors)
    return index


direct, trained = index_of(faiss.ScalarQuantizer.QT_8bit_direct_signed), index_of(faiss.ScalarQuantizer.QT_8bit)
kept = direct.reconstruct_n(0, 2).tolist()
print("QT_8bit_direct_signed keeps", kept)
print("QT_8bit keeps              ", np.round(trained.reconstruct_n(0, 2), 1).tolist())
nearest = {name: int(index.search(vectors[:1], 1)[1][0, 0]) for name, index in (("direct", direct), ("trained", trained))}
print("nearest to the first vector:", nearest)
assert kept == [[127, -128, -56, 127], [1, -2, 0, -1]]
assert nearest == {"direct": 2, "trained": 0}
PYTHON
