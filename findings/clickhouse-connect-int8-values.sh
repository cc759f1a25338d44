#!/usr/bin/env bash
# clickhouse-connect 1.12.0 with chdb 4.4.0: a value that Int8 does not hold is checked on one way in and altered on the
# other. Inserted, 300 is refused and 1.7 becomes 1; bound to {v:Int8}, 1.7 is refused and 300 becomes 44.
# Expected: both are refused both times.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile clickhouse-connect==1.12.0 urllib3==2.8.0 certifi==2026.10.19.post1 lz4==4.4.5 backports.zstd==1.8.0 --no-deps chdb==4.4.0 chdb-core==26.9.0
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
import logging
from importlib.metadata import version

import clickhouse_connect

logging.disable()  # the driver logs the refusal with its traceback before it raises
client = clickhouse_connect.get_client(interface="chdb")
print("clickhouse-connect", version("clickhouse-connect"), "chdb", version("chdb"))
client.command("CREATE DATABASE d")


def inserted(value):
    """What a table holds after the value was inserted as Int8, or the name of the error."""
    client.command("CREATE OR REPLACE TABLE d.t (v Int8) ENGINE = MergeTree ORDER BY v")
    try:
        client.insert("d.t", [[value]])
    except clickhouse_connect.driver.exceptions.Error as error:
        return type(error).__name__
    return client.query("SELECT v FROM d.t").first_row[0]


def bound(value):
    """The value of a parameter of type Int8, or the name of the error."""
    try:
        return client.query("SELECT {v:Int8}", parameters={"v": value}).first_row[0]
    except clickhouse_connect.driver.exceptions.Error as error:
        return type(error).__name__


seen = {way.__name__: {value: way(value) for value in (300, 1.7)} for way in (inserted, bound)}
print(seen)
assert seen["inserted"] == {300: "DataError", 1.7: 1}
assert seen["bound"] == {300: 44, 1.7: "DatabaseError"}
PYTHON
