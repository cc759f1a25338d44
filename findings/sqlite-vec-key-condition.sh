#!/usr/bin/env bash
# sqlite-vec 0.1.9: in a search over a vec0 table, a condition on the primary key (id = 9, id > 5) is applied to the k nearest
# rows of the whole table, while `id IN (9, 10)` and a condition on a metadata column choose the rows before the search. A
# condition on a metadata column that is written in another way, `NOT lang = 'de'`, comes after the search like one on the key.
# Expected: the k nearest of the rows that fulfil the condition, by all of them, or an error.
# Seen with k = 2: no rows for id = 9 and id IN (9), two for id IN (9, 10); no rows for id > 5, two for a metadata column of the
# same numbers; one row for NOT lang = 'de', two for lang != 'de'. In issue 152 of sqlite-vec a join loses rows in this way.
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
database.execute("CREATE VIRTUAL TABLE t USING vec0(id INTEGER PRIMARY KEY, v FLOAT[2], number INTEGER, lang TEXT)")
for id in range(1, 11):
    database.execute("INSERT INTO t VALUES (?, ?, ?, ?)", (id, f"[{id}, 0]", id, "de" if id == 2 else "en"))
expected = {
    "id = 9": [],
    "id IN (9)": [],
    "id IN (9, 10)": [9, 10],
    "id > 5": [],
    "number > 5": [6, 7],
    "NOT lang = 'de'": [1],
    "lang != 'de'": [1, 3],
}
for condition, ids in expected.items():
    rows = database.execute(f"SELECT id FROM t WHERE v MATCH '[0, 0]' AND k = 2 AND {condition}")
    seen = sorted(id for (id,) in rows)
    print(f"{condition:17}", seen)
    assert seen == ids, condition
PYTHON
