#!/usr/bin/env bash
# sqlite-vec 0.1.9: `vec_quantize_int8(v, 'unit')` shifts by half a step and then cuts off toward zero: positive components lose
# a whole step on average and negative ones nothing. In vectors of length 1 and 1,024 dimensions a component has some four
# steps, so the positive half of each vector is a quarter too small. 1.0 becomes 126 and -1.0 becomes -128.
# Expected: the nearest code, with -v the reverse of v.
# Seen: 1/32 becomes 3 and -1/32 becomes -4 (3.98 steps each), and 0.0117 becomes 0 where -0.0117 becomes -1. The codes of random
# vectors lie 1.01 steps below the positive numbers and 0.01 from the negative ones, and the cosine of unrelated vectors is
# 0.015 on average, where it is 0 for the floats and for rounded codes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile sqlite-vec==0.1.9 apsw==3.54.1.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

import apsw
import numpy as np
import sqlite_vec

database = apsw.Connection(":memory:")
database.enable_load_extension(True)
database.load_extension(sqlite_vec.loadable_path())
print("sqlite-vec", version("sqlite-vec"), "apsw", version("apsw"), "numpy", version("numpy"))


def codes(vector):
    """The int8 codes of a vector of floats."""
    given = np.asarray(vector, np.float32).tobytes()
    return np.frombuffer(database.execute("SELECT vec_quantize_int8(?, 'unit')", (given,)).fetchone()[0], np.int8)


few = codes([1, -1, 1 / 32, -1 / 32, 0.0117, -0.0117]).tolist()
print("1, -1, 1/32, -1/32, 0.0117, -0.0117 become", few)
vectors = np.random.default_rng(0).normal(size=(400, 1024))
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
quantized = np.array([codes(v) for v in vectors], float)
error = quantized - 127.5 * vectors
far = np.abs(vectors) > 2 / 127.5
positive, negative = error[far & (vectors > 0)].mean(), error[far & (vectors < 0)].mean()


def cosine(rows):
    """The mean cosine of two different rows."""
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows @ rows.T)[~np.eye(len(rows), dtype=bool)].mean()


print(f"mean error in steps: {positive:.2f} above 0, {negative:.2f} below; cosine {cosine(vectors):.4f} as floats,"
      f" {cosine(quantized):.4f} as codes, {cosine(np.rint(127 * vectors)):.4f} rounded")
assert few == [126, -128, 3, -4, 0, -1]
assert -1.05 < positive < -0.95 and abs(negative) < 0.05
assert cosine(quantized) > 0.01 > 10 * abs(cosine(vectors))
PYTHON
