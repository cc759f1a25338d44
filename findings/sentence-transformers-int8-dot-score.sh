#!/usr/bin/env bash
# sentence-transformers 6.2.0: `util.dot_score` of int8 embeddings is added up in int8 and wraps, and `util.semantic_search` with
# it returns a wrong order. `cos_sim` of the same embeddings is an error; `pairwise_dot_score` wraps like `dot_score`.
# Expected: a sum that is wide enough, as `model.similarity` takes care of, or an error, as from `cos_sim`.
# Seen: [100, 100] times itself is 32 and not 20000, so that the vector [1, 0] is found before the question itself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile sentence-transformers==6.2.0 transformers==5.24.0 torch==2.13.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
import os
from importlib.metadata import version

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
from sentence_transformers import util

print("sentence-transformers", version("sentence-transformers"), "torch", version("torch"))
codes = np.array([[100, 100], [1, 0]], np.int8)


def order(embeddings):
    hits = util.semantic_search(embeddings[:1], embeddings, score_function=util.dot_score)[0]
    return {hit["corpus_id"]: hit["score"] for hit in hits}


seen, right = order(codes), order(codes.astype(np.float32))
print("int8:", seen, " float32:", right)
assert list(seen.items()) == [(1, 100), (0, 32)]
assert list(right.items()) == [(0, 20000.0), (1, 100.0)]
assert util.pairwise_dot_score(codes, codes).tolist() == [32, 1]
try:
    util.cos_sim(codes, codes)
except RuntimeError as error:
    print("cos_sim:", str(error)[:60])
else:
    raise AssertionError("cos_sim takes int8 now")
PYTHON
