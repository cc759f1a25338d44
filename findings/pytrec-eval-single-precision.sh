#!/usr/bin/env bash
# pytrec_eval-terrier 0.5.11, also by way of ir-measures 0.4.3: scores are kept in single precision. Two that differ by less,
# such as whole numbers above 16,777,216 (sums of products of int8 codes get there), are a tie, and a tie goes to the document
# whose id comes last. The order of the run is not asked.
# Expected: the order of the scores that were given; Python's floats and ints are exact here.
# Seen: the relevant document a has 16777217 and b has 16777216, and the reciprocal rank is 0.5; with 16777218 it is 1. Issue 34
# of trec_eval, whose code this is, asks for double precision.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile pytrec_eval-terrier==0.5.11 ir-measures==0.4.3 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

import ir_measures
import pytrec_eval
from ir_measures import RR

print("pytrec_eval-terrier", version("pytrec_eval-terrier"), "ir-measures", version("ir-measures"))
judged = {"q": {"a": 1, "b": 0}}
evaluator = pytrec_eval.RelevanceEvaluator(judged, {"recip_rank"})
seen = {}
for first, second in ((16777218, 16777216), (16777217, 16777216), (0.9 + 1e-9, 0.9)):
    run = {"q": {"a": float(first), "b": float(second)}}
    seen[first] = evaluator.evaluate(run)["q"]["recip_rank"], ir_measures.calc_aggregate([RR], judged, run)[RR]
    print(f"a {first}, b {second}: reciprocal rank {seen[first][0]} by pytrec_eval, {seen[first][1]} by ir-measures")
assert list(seen.values()) == [(1.0, 1.0), (0.5, 0.5), (0.5, 0.5)]
PYTHON
