#!/usr/bin/env bash
# chdb 4.4.0 (ClickHouse 26.9.2.1, experimental codec): ALTER TABLE ... UPDATE of one row's vector in a column with
# CODEC(Quantized(...)) sets the vectors of all rows of the part to zero, if the part is wide (large ones are). The
# statement ends without an error.
# Expected: the new vector in the one row, and the others as they were, as it is in a compact part.
# Seen: three vectors, one updated, three times [0,0,0,0].
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
session.query("SET enable_quantized_codec = 1, mutations_sync = 2")
rows = {}
for name, least in (("wide", 0), ("compact", 1000000)):
    session.query(f"""
        CREATE TABLE d.{name} (id UInt32, v Array(Float32) CODEC(Quantized('int8', 4)))
        ENGINE = MergeTree ORDER BY id SETTINGS min_bytes_for_wide_part = {least}
    """)
    session.query(f"INSERT INTO d.{name} VALUES (1, [1, 2, 3, 4]), (2, [2, 2, 3, 4]), (3, [3, 2, 3, 4])")
    session.query(f"ALTER TABLE d.{name} UPDATE v = [9, 9, 9, 9] WHERE id = 2")
    rows[name] = ask(f"SELECT v FROM d.{name} ORDER BY id").split()
    print(name, "part:", *rows[name])
assert rows["wide"] == ["[0,0,0,0]"] * 3
assert rows["compact"] == ["[1,2,3,4]", "[9,9,9,9]", "[3,2,3,4]"]
PYTHON
