#!/usr/bin/env bash
# duckdb 2.0.1: the cosine similarity of a vector of zeros (an empty text, a failed embedding) is NaN, and NaN is the greatest
# number in DuckDB's order: ORDER BY similarity DESC LIMIT n begins with the empty texts, and so does `max_by`. By distance,
# ascending, they come last.
# Expected: last both ways, or an error or NULL, which DuckDB puts last.
# Seen: of an empty, a near and a less near text the empty one comes first by similarity and by max_by, and last by distance.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile duckdb==2.0.1
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

import duckdb

print("duckdb", version("duckdb"))
source = "(VALUES ('empty', [0, 0]::FLOAT[2]), ('near', [1, 0]::FLOAT[2]), ('less', [1, 1]::FLOAT[2])) AS t(name, v)"
similarity, distance = (f"array_cosine_{kind}(v, [1, 0]::FLOAT[2])" for kind in ("similarity", "distance"))
seen = {
    "similarity": f"SELECT name FROM {source} ORDER BY {similarity} DESC LIMIT 2",
    "distance": f"SELECT name FROM {source} ORDER BY {distance} LIMIT 2",
    "max_by": f"SELECT unnest(max_by(name, {similarity}, 2)) FROM {source}",
}
for way, statement in seen.items():
    seen[way] = [name for (name,) in duckdb.sql(statement).fetchall()]
    print(f"{way:11}", *seen[way])
assert seen == {"similarity": ["empty", "near"], "distance": ["near", "less"], "max_by": ["empty", "near"]}
PYTHON
