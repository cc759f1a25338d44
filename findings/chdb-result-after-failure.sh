#!/usr/bin/env bash
# chdb 4.4.0: when a query fails in the middle of its result (here because of max_result_bytes), the rows that it had put
# out may stay in the connection, and the next query on that connection returns them before its own.
# Expected: the next result holds its own rows alone, as over HTTP.
# Seen, in some of 20 rounds: SELECT 'mine' returns 65,409 numbers, then 'mine'; the query after that is right.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile chdb==4.4.0
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

import chdb

print("chdb", version("chdb"))
connection = chdb.connect(":memory:")
seen = []
for _ in range(20):
    try:
        connection.query(
            "SELECT number FROM numbers(1000000) SETTINGS max_result_bytes = 1000000, result_overflow_mode = 'throw', "
            "max_threads = 1",
            "TSV",
        )
    except Exception as error:
        message = str(error)
    seen.append([connection.query("SELECT 'mine'", "TSV").bytes().count(b"\n") for _ in range(2)])
print("the query fails with:", message[:80])
print("lines of the next result and of the one after it, each of which should be 1:", max(seen))
assert "Limit for result exceeded" in message
assert any(first > 1 for first, _ in seen)
assert all(second == 1 for _, second in seen)
PYTHON
