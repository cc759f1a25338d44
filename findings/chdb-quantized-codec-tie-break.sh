#!/usr/bin/env bash
# chdb 4.4.0 (ClickHouse 26.9.2.1): a search over a column with CODEC(Quantized(...)) uses the quantized codes only with
# ORDER BY distance LIMIT n. A second sort key, for the same order on every run, makes it a full scan of the floats; no
# setting, warning or note in the result says so, only EXPLAIN shows it.
# Expected: the codes are used and ties are broken among the candidates.
# Seen: the plan has a "quantized shortlist" without the key and none with it.
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
session.query("SET enable_quantized_codec = 1, vector_search_use_quantized_codes = 1")
session.query("""
    CREATE TABLE d.t (id UInt32, v Array(Float32) CODEC(Quantized('rabitq', 32))) ENGINE = MergeTree ORDER BY id
""")
session.query("INSERT INTO d.t SELECT number, arrayMap(i -> sin(number * 31 + i * i), range(32)) FROM numbers(20000)")
plan = """
    EXPLAIN SELECT id FROM d.t
    ORDER BY cosineDistance(v, arrayMap(i -> toFloat32(cos(i)), range(32))){} LIMIT 5
"""
plain, tied = ("quantized shortlist" in ask(plan.format(key)) for key in ("", ", id"))
print("codes are used: ORDER BY distance", plain, " ORDER BY distance, id", tied)
assert plain
assert not tied
PYTHON
