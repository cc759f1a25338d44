#!/usr/bin/env bash
# chdb 4.4.0 (ClickHouse 26.9.2.1): dotProduct of two Array(Int8) is added up in Int16 and wraps without a word.
# Expected: a sum wide enough for its terms, as sum() and L2SquaredDistance have it, or an error.
# Seen: four times 100 * 100 is -25536; with one side as Array(Int16) it is 40000.
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

narrow = ask("""
    SELECT dotProduct([100, 100, 100, 100]::Array(Int8), [100, 100, 100, 100]::Array(Int8)) AS product,
           toTypeName(product)
""")
wide = ask("SELECT dotProduct([100, 100, 100, 100]::Array(Int16), [100, 100, 100, 100]::Array(Int8))")
print("Int8 with Int8:", narrow)
print("Int16 with Int8:", wide)
assert narrow == "-25536\tInt16"
assert wide == "40000"
PYTHON
