#!/usr/bin/env bash
# usearch 2.26.6: an index takes a NumPy array of uint8 for packed bits, also where it was made with dtype "u8" or "i8": the
# numbers of a vector are those of the bits of its first bytes, 0 or 1, and the rest of the vector is not looked at.
# Expected: the numbers that were given, as with int8, or an error.
# Seen: [3, 100, 200, 255, 0, 0, 0, 0] is kept as [0, 0, 0, 0, 0, 0, 1, 1], the bits of 3, and a vector that agrees with it
# in the first byte alone has the distance 0. With dtype="u8" given to add and search as well, the numbers stay as they are.
# This is issue 595 of USearch.
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
first = np.array([3, 100, 200, 255, 0, 0, 0, 0], np.uint8)
other = np.array([3, 0, 0, 0, 9, 9, 9, 9], np.uint8)


def kept(kind, **said):
    """What an index of a kind keeps of `first`, and its distance from `other`."""
    index = Index(ndim=8, metric="l2sq", dtype=kind)
    index.add(1, first, **said)
    return index.get(1).tolist(), float(index.search(other, 1, **said).distances[0])


seen = {kind: kept(kind) for kind in ("u8", "i8")} | {"u8, said again": kept("u8", dtype="u8")}
for kind, (numbers, distance) in seen.items():
    print(f"{kind:16}{numbers} distance {distance:.0f}")
bits = [0, 0, 0, 0, 0, 0, 1, 1]
assert seen["u8"] == seen["i8"] == (bits, 0.0)
assert seen["u8, said again"][0] == first.tolist()
PYTHON
