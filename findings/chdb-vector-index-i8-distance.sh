#!/usr/bin/env bash
# chdb 4.4.0 (ClickHouse 26.9.2.1): a vector_similarity index with quantization 'i8' brings every vector to one length, so
# that L2Distance comes out as the distance of directions, and the SELECT shows that number.
# Expected: distances near the true ones, or a refusal of L2Distance for 'i8'.
# Seen: from [9, 9] the points [0.1, 0.1], [10, 10] and [100, 100] have the distance 0 each; without the index 12.6, 1.4
# and 128.7.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps chdb==4.4.0 chdb-core==26.9.0
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

from chdb.session import Session

session = Session("store")


def ask(statement):
    """The result as lines of tab-separated values."""
    return str(session.query(statement, "TSV")).strip()


print("chdb", version("chdb"), "chdb-core", version("chdb-core"), "engine", ask("SELECT version()"))

session.query("CREATE DATABASE d")
session.query("""
    CREATE TABLE d.t (
        id UInt32, v Array(Float32), INDEX near v TYPE vector_similarity('hnsw', 'L2Distance', 2, 'i8', 16, 64)
    ) ENGINE = MergeTree ORDER BY id
""")
session.query("INSERT INTO d.t VALUES (1, [0.1, 0.1]), (2, [10, 10]), (3, [100, 100])")
search = """
    SELECT id, round(L2Distance(v, [9, 9]::Array(Float32)), 1) AS distance FROM d.t
    ORDER BY L2Distance(v, [9, 9]::Array(Float32)) LIMIT 3 SETTINGS use_skip_indexes = {}
"""
without, indexed = (
    {int(line.split()[0]): float(line.split()[1]) for line in ask(search.format(use)).splitlines()} for use in (0, 1)
)
print("without the index:", without)
print("with the index:   ", indexed)
assert without == {1: 12.6, 2: 1.4, 3: 128.7}
assert indexed == {1: 0.0, 2: 0.0, 3: 0.0}
PYTHON
