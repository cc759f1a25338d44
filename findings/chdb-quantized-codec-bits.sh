#!/usr/bin/env bash
# chdb 4.4.0 (ClickHouse 26.9.2.1): CODEC(Quantized('rabitq', dims, n)) and CODEC(Quantized('turboquant', dims, n)) take a
# third number for every n that was tried, and a column with it holds exactly the bytes of one without: the number of bits
# of a dimension that it looks like is not heard. SHOW CREATE TABLE repeats it.
# Expected: codes of so many bits, or an error for a method whose bits are fixed.
# Seen: the same bytes on disk with 1, 2, 4 and 8, and without the argument.
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


def stored_bytes(method, argument):
    """Bytes of the column of 2,000 vectors of 384 numbers, merged into one part."""
    session.query("DROP TABLE IF EXISTS d.t SYNC")
    session.query(f"""
        CREATE TABLE d.t (id UInt32, v Array(Float32) CODEC(Quantized('{method}', 384{argument})))
        ENGINE = MergeTree ORDER BY id SETTINGS min_bytes_for_wide_part = 0
    """)
    session.query("INSERT INTO d.t SELECT number, arrayMap(i -> sin(number * 31 + i * i), range(384)) FROM numbers(2000)")
    session.query("OPTIMIZE TABLE d.t FINAL")
    shown = argument in ask("SHOW CREATE TABLE d.t")
    size = ask("""
        SELECT sum(column_bytes_on_disk) FROM system.parts_columns
        WHERE database = 'd' AND table = 't' AND column = 'v' AND active
    """)
    return int(size), shown


print("chdb", version("chdb"), "chdb-core", version("chdb-core"), "engine", ask("SELECT version()"))

session.query("CREATE DATABASE d")
session.query("SET enable_quantized_codec = 1")
for method in ("rabitq", "turboquant"):
    found = {}
    for argument in ("", ", 1", ", 2", ", 4", ", 8"):
        try:
            found[argument] = stored_bytes(method, argument)
        except Exception as error:
            found[argument] = str(error)[:100]
    print(method, found)
    accepted = [size for size in found.values() if not isinstance(size, str)]
    assert len(accepted) > 2, "the argument is refused now"
    assert len({size for size, _ in accepted}) == 1
    assert all(shown for _, shown in accepted)
PYTHON
