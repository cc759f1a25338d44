#!/usr/bin/env bash
# chdb 4.4.0 (ClickHouse 26.9.2.1): dotProductTransposed over QBit(Int8, n) converts the query to Int8, whatever its type
# is: 300 becomes 44, and 0.5 becomes 0.
# Expected: an error for a query that Int8 does not hold, or the product with the query as it was given.
# Seen: [100, 100, 100, 100] times [300, 300, 300, 300] is 17600 and not 120000; times [0.5, 0.5, 0.5, 0.5] it is 0.
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
session.query("CREATE TABLE d.t (v QBit(Int8, 4)) ENGINE = MergeTree ORDER BY tuple()")
session.query("INSERT INTO d.t VALUES ([100, 100, 100, 100])")
wide = ask("SELECT dotProductTransposed(v, [300, 300, 300, 300]::Array(Int16), 8) FROM d.t")
fraction = ask("SELECT dotProductTransposed(v, [0.5, 0.5, 0.5, 0.5]::Array(Float32), 8) FROM d.t")
print("times 300, Int16:", wide, " times 0.5, Float32:", fraction)
assert wide == "17600"
assert fraction == "0"
PYTHON
