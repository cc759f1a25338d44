#!/usr/bin/env bash
# chdb 4.4.0 (ClickHouse 26.9.2.1): over QBit(Float32, n) the second bit of a number makes a search worse than the first alone:
# what is read first are the sign and then the bits of the exponent, and without the lower ones of these every number of a
# vector of length 1 is next to 0. L2DistanceTransposed with 2 to 4 bits is the same number for every row.
# Expected: a finer order with each bit, as the documentation promises of the last argument, or a refusal of such numbers of bits.
# Seen over 1,000 vectors: 16 different distances with 1 bit, 1 with 2, 3 and 4 bits, where LIMIT returns the rows of the lowest
# ids, and 123 with 8. cosineDistanceTransposed is 1 for all rows with 2 bits.
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
session.query("CREATE TABLE d.t (id UInt32, v QBit(Float32, 8)) ENGINE = MergeTree ORDER BY id")
unit = "arrayMap(i -> toFloat32(sin({} + i) / 2), range(8))"  # a vector whose length is about 1
session.query(f"INSERT INTO d.t SELECT number, {unit.format('number')} FROM numbers(1000)")
search = """
    SELECT uniqExact(distance), arraySlice(groupArray(id), 1, 3) FROM (
        SELECT id, {}(v, {}, {}) AS distance FROM d.t ORDER BY distance, id
    )
"""
seen = {}
for function in ("L2DistanceTransposed", "cosineDistanceTransposed"):
    for bits in (1, 2, 3, 4, 8, 32):
        count, ids = ask(search.format(function, unit.format(500), bits)).split("\t")
        seen[function, bits] = int(count), ids
        print(f"{function:26}{bits:2} bits: {count:>4} different distances, nearest {ids}")
for bits in (2, 3, 4):
    assert seen["L2DistanceTransposed", bits] == (1, "[0,1,2]")
assert seen["cosineDistanceTransposed", 2] == (1, "[0,1,2]")
assert seen["L2DistanceTransposed", 1][0] == 16
assert seen["L2DistanceTransposed", 32][1].startswith("[500,")
PYTHON
