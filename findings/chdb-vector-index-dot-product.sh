#!/usr/bin/env bash
# chdb 4.4.0 (ClickHouse 26.9.2.1): with a vector_similarity index over dotProduct the same SELECT gives other values of
# dotProduct and the reverse order. The index answers with 1 - product, and ORDER BY ... DESC sorts that.
# Expected: the product, largest first, as without the index.
# Seen: products 3, 2, 1 without the index; -0, -1, -2 in the order 1, 2, 3 with it.
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
    CREATE TABLE d.t (id UInt32, v Array(Float32), INDEX near v TYPE vector_similarity('hnsw', 'dotProduct', 2))
    ENGINE = MergeTree ORDER BY id
""")
session.query("INSERT INTO d.t VALUES (1, [1, 0]), (2, [2, 0]), (3, [3, 0])")
search = """
    SELECT id, dotProduct(v, [1, 0]::Array(Float32)) AS product FROM d.t
    ORDER BY dotProduct(v, [1, 0]::Array(Float32)) DESC LIMIT 3 SETTINGS use_skip_indexes = {}
"""
without, indexed = (
    [(int(line.split()[0]), float(line.split()[1])) for line in ask(search.format(use)).splitlines()] for use in (0, 1)
)
print("without the index:", without)
print("with the index:   ", indexed)
assert without == [(3, 3.0), (2, 2.0), (1, 1.0)]
assert indexed == [(1, 0.0), (2, -1.0), (3, -2.0)]
PYTHON
