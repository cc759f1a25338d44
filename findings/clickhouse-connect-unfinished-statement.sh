#!/usr/bin/env bash
# clickhouse-connect 1.12.0 with chdb 4.4.0: `FORMAT name` is written behind a query as text, and a query that is not finished
# takes it for a part of itself, an operand with an alias. The error is about an identifier `FORMAT` that nobody wrote.
# Expected: an error of syntax at the end, as the same engine gives for the query by itself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile clickhouse-connect==1.12.0 urllib3==2.8.0 certifi==2026.10.19.post1 lz4==4.4.5 backports.zstd==1.8.0 --no-deps chdb==4.4.0 chdb-core==26.9.0
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
import logging
from importlib.metadata import version

import chdb
import clickhouse_connect

logging.disable()  # the driver logs the refusal with its traceback before it raises
UNFINISHED = "SELECT 1 +"
print("clickhouse-connect", version("clickhouse-connect"), "chdb", version("chdb"))


def error_of(run):
    """The first line of the error that a query ends in."""
    try:
        run(UNFINISHED)
    except Exception as error:
        return str(error).splitlines()[0]
    return "none"


client = clickhouse_connect.get_client(interface="chdb")
by_driver = error_of(lambda text: client.raw_query(text, fmt="CSV"))
client.close()
by_engine = error_of(lambda text: chdb.query(text, "CSV"))
print("by the driver:", by_driver[:110])
print("by the engine:", by_engine[:110])
assert "identifier `FORMAT`. In scope SELECT 1 + FORMAT AS CSV" in by_driver, by_driver
assert "Syntax error" in by_engine and "(end of query)" in by_engine, by_engine
PYTHON
