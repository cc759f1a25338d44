#!/usr/bin/env bash
# sqlite-vec 0.1.9: a metadata column of type INTEGER is compared with the number in front of the point: 1.5 counts as 1. The
# search then loses rows that fulfil the condition and gives rows that do not.
# Expected: the rows that an ordinary table gives for the same conditions.
# Seen: of 1, 2 and 3, `n < 1.5` gives none, `n = 2.5` gives 2, `n != 2.5` gives 1 and 3, and `n >= 2.5` gives 2 and 3.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile sqlite-vec==0.1.9 apsw==3.54.1.0
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

import apsw
import sqlite_vec

database = apsw.Connection(":memory:")
database.enable_load_extension(True)
database.load_extension(sqlite_vec.loadable_path())
print("sqlite-vec", version("sqlite-vec"), "apsw", version("apsw"))
database.execute("CREATE VIRTUAL TABLE t USING vec0(n INTEGER, v FLOAT[2])")
database.execute("CREATE TABLE plain (n INTEGER)")
for n in (1, 2, 3):
    database.execute("INSERT INTO t (n, v) VALUES (?, '[0, 0]')", (n,))
    database.execute("INSERT INTO plain VALUES (?)", (n,))
expected = {
    "n < 1.5": ([], [1]),
    "n = 2.5": ([2], []),
    "n != 2.5": ([1, 3], [1, 2, 3]),
    "n >= 2.5": ([2, 3], [3]),
}
for condition, lists in expected.items():
    seen = tuple(
        sorted(n for (n,) in database.execute(f"SELECT n FROM {source} {condition}"))
        for source in ("t WHERE v MATCH '[0, 0]' AND k = 3 AND", "plain WHERE")
    )
    print(f"{condition:9} vec0 {seen[0]} ordinary table {seen[1]}")
    assert seen == lists, condition
PYTHON
