#!/usr/bin/env bash
# chdb 4.4.0 (ClickHouse 26.9.2.1): after a lightweight DELETE a search with a vector_similarity index returns fewer rows
# than its LIMIT although enough remain. The index gives its k nearest rows, deleted ones too, and these drop out later.
# Expected: k rows, as without the index.
# Seen: 90 of 100 rows deleted, 10 remain; of LIMIT 10 the index gives 1, the scan 10.
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
    CREATE TABLE d.t (id UInt32, v Array(Float32), INDEX near v TYPE vector_similarity('hnsw', 'L2Distance', 2))
    ENGINE = MergeTree ORDER BY id
""")
session.query("INSERT INTO d.t SELECT number, [number, 0] FROM numbers(100)")
session.query("DELETE FROM d.t WHERE id % 10 != 0")
search = """
    SELECT count() FROM (
        SELECT id FROM d.t ORDER BY L2Distance(v, [0, 0]::Array(Float32)) LIMIT 10
    ) SETTINGS use_skip_indexes = {}
"""
remain, without, indexed = (int(ask(one)) for one in ("SELECT count() FROM d.t", search.format(0), search.format(1)))
print("rows that remain:", remain, " found without the index:", without, " with it:", indexed)
assert (remain, without, indexed) == (10, 10, 1)
PYTHON
