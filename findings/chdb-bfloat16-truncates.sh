#!/usr/bin/env bash
# chdb 4.4.0 (ClickHouse 26.9.2.1): a conversion to BFloat16 cuts the lower 16 bits off and does not round.
# Expected: the nearest BFloat16, as hardware and PyTorch convert; a vector then keeps its length on average.
# Seen: 0.999 lies 0.001 below 1 and 0.0029 above 0.99609375, and becomes 0.99609375; every value shrinks.
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

single = ask("SELECT toFloat32(0.999::Float32::BFloat16)")
several = ask("SELECT arrayMap(x -> toFloat32(x), [0.999, 1.0117, -0.999]::Array(BFloat16))")
print("0.999 becomes", single)
print("0.999, 1.0117, -0.999 become", several)
assert single == "0.99609375"
assert several == "[0.99609375,1.0078125,-0.99609375]"
PYTHON
