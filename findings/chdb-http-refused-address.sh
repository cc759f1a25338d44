#!/usr/bin/env bash
# chdb 4.4.0 (ClickHouse 26.9.2.1): where nothing listens at the address of an HTTP source, the error is "Connection refused"
# and names neither the address nor what has asked for it: url(), a dictionary, or aiGenerate. A statement that asks
# several places leaves its reader without a hint. A host that does not exist is named.
# Expected: the error has the host and the port, as that of a refusal with a status has the URL.
# Seen: it has neither, three times.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps chdb==4.4.0 chdb-core==26.9.0
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
import socket
from importlib.metadata import version

from chdb.session import Session

with socket.create_server(("127.0.0.1", 0)) as taken:
    port = taken.getsockname()[1]  # that nobody listens at when it has been closed
session = Session("store")


def ask(statement):
    """The result as lines of tab-separated values."""
    return str(session.query(statement, "TSVRaw")).strip()


print("chdb", version("chdb"), "chdb-core", version("chdb-core"), "engine", ask("SELECT version()"))
ask(f"""
    CREATE DICTIONARY d (q String, f String, a String) PRIMARY KEY q, f
    SOURCE(HTTP(URL 'http://127.0.0.1:{port}/' FORMAT 'JSONEachRow')) LAYOUT(COMPLEX_KEY_DIRECT())
    SETTINGS(http_max_tries = 1)""")
ask(f"""
    CREATE NAMED COLLECTION chat AS provider = 'openai', endpoint = 'http://127.0.0.1:{port}/v1/chat/completions',
    model = 'm', api_key = 'none'""")
statements = [
    f"SELECT * FROM url('http://127.0.0.1:{port}/', 'JSONEachRow', 'a String') SETTINGS http_max_tries = 1",
    "SELECT dictGet('d', 'a', (materialize('q'), ''))",
    "SELECT aiGenerate('q', map('credentials', 'chat'))",
]
for statement in statements:
    try:
        ask(statement)
    except Exception as error:
        print(f"{statement[:40]:42}{error}")
        assert "Connection refused" in str(error), error
        assert str(port) not in str(error), error
        assert "url" not in str(error) and "dictGet" not in str(error) and "aiGenerate" not in str(error), error
    else:
        raise AssertionError(statement)
session.close()
PYTHON
