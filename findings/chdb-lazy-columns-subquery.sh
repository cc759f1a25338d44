#!/usr/bin/env bash
# chdb 4.4.0 (ClickHouse 26.9.2.1): late reading of columns (lazy materialization) is lost where a table is read through a
# subquery or a view: ORDER BY ... LIMIT 3 over an expression then reads the long column of every row, in silence. A
# condition on the table that excludes nothing, inside the subquery, brings it back; with IN (SELECT ...) it stays lost.
# Expected: SELECT text FROM (SELECT id, v, text FROM t) is planned like SELECT text FROM t.
# Seen: the plan has LazilyReadFromMergeTree for the table itself and for the subquery with WHERE id >= 0, and not for the
# bare subquery, for the view, or for either with IN (SELECT ...).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps chdb==4.4.0 chdb-core==26.9.0
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version
from time import perf_counter

from chdb.session import Session

session = Session("store")


def ask(statement):
    """The result as lines of tab-separated values."""
    return str(session.query(statement, "TSVRaw")).strip()


print("chdb", version("chdb"), "chdb-core", version("chdb-core"), "engine", ask("SELECT version()"))
ask("CREATE TABLE t (id UInt32, v Int32, text String CODEC(NONE)) ENGINE = MergeTree ORDER BY id")
ask("INSERT INTO t SELECT number, intHash32(number), repeat('x', 1000) FROM numbers(200000)")
ask("CREATE VIEW bare AS SELECT id, v, text FROM t")
ask("CREATE VIEW chosen AS SELECT id, v, text FROM t WHERE id IN (SELECT number FROM numbers(200000))")

some = "id IN (SELECT number FROM numbers(200000))"
sources = {
    "t": True,
    f"t WHERE {some}": True,
    "(SELECT id, v, text FROM t WHERE id >= 0)": True,
    "(SELECT id, v, text FROM t)": False,
    "bare": False,
    f"(SELECT id, v, text FROM t WHERE {some})": False,
    "chosen": False,
}
rows = set()
for source, expected in sources.items():
    statement = f"SELECT text FROM {source} ORDER BY abs(v - 5) LIMIT 3"
    late = "LazilyRead" in ask(f"EXPLAIN {statement}")
    started = perf_counter()
    rows.add(ask(statement))
    print(f"read late: {late!s:5} {1e3 * (perf_counter() - started):6.0f} ms  {source}")
    assert late == expected, source
assert len(rows) == 1
PYTHON
