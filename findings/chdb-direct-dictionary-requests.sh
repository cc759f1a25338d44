#!/usr/bin/env bash
# chdb 4.4.0 (ClickHouse 26.9.2.1): a dictionary with LAYOUT(COMPLEX_KEY_DIRECT()) keeps nothing and asks its source. One
# dictGet that is written down once may ask several times: where its tuple is selected beside its elements, each element
# asks anew, and one with a constant key asks once while the statement is analysed and once more for a condition on it.
# Expected: one request for one dictGet over one block of rows.
# Seen: three requests for SELECT dictGet(...) AS r, r.1, r.2, one where the elements are taken outside of a subquery; two
# for a constant key with a condition, one where the key is materialize('q').
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps chdb==4.4.0 chdb-core==26.9.0
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

from chdb.session import Session

requests = []


class Source(BaseHTTPRequestHandler):
    """Answers each key of a request with itself, and counts requests."""

    def do_POST(self):
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        requests.append(body)
        rows = [json.loads(line) | {"a": "answer", "b": "more"} for line in body.splitlines()]
        self.send_response(200)
        self.end_headers()
        self.wfile.write("".join(f"{json.dumps(row)}\n" for row in rows).encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Source)
threading.Thread(target=server.serve_forever, daemon=True).start()
session = Session("store")


def ask(statement):
    """The result as lines of tab-separated values."""
    return str(session.query(statement, "TSVRaw")).strip()


print("chdb", version("chdb"), "chdb-core", version("chdb-core"), "engine", ask("SELECT version()"))
ask(f"""
    CREATE DICTIONARY d (q String, f String, a String, b String) PRIMARY KEY q, f
    SOURCE(HTTP(URL 'http://127.0.0.1:{server.server_port}/' FORMAT 'JSONEachRow')) LAYOUT(COMPLEX_KEY_DIRECT())""")
ask("CREATE TABLE t (q String) ENGINE = MergeTree ORDER BY q")
ask("INSERT INTO t VALUES ('one'), ('two')")
expected = {
    "SELECT dictGet('d', ('a', 'b'), (q, '')) AS r, r.1, r.2 FROM t": 3,
    "SELECT r, r.1, r.2 FROM (SELECT dictGet('d', ('a', 'b'), (q, '')) AS r FROM t)": 1,
    "SELECT dictGet('d', 'a', ('q', '')) AS a WHERE a != ''": 2,
    "SELECT dictGet('d', 'a', (materialize('q'), '')) AS a WHERE a != ''": 1,
}
for statement, count in expected.items():
    requests.clear()
    ask(statement)
    print(f"{len(requests)} requests  {statement}")
    assert len(requests) == count, statement
session.close()
PYTHON
