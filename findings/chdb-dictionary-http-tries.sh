#!/usr/bin/env bash
# chdb 4.4.0 (ClickHouse 26.9.2.1): a dictionary with an HTTP source sends a request that was answered with 503 ten times (the
# default of http_max_tries; with the default pauses that takes half a minute), a POST with keys too. SETTINGS
# http_max_tries = 1 of the statement is taken and has no effect; SETTINGS of the dictionary has.
# Expected: the setting of the statement holds for the requests of the statement, as it does for url().
# Seen: one request for url(), ten for dictGet with the same setting, one with the dictionary's own.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps chdb==4.4.0 chdb-core==26.9.0
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

from chdb.session import Session

requests = []


class Busy(BaseHTTPRequestHandler):
    """Has no time, and counts requests."""

    def do_POST(self):
        requests.append(self.command)
        while int(size := self.rfile.readline(), 16):
            self.rfile.read(int(size, 16) + 2)
        self.rfile.readline()
        self.send_error(503)

    def do_GET(self):
        requests.append(self.command)
        self.send_error(503)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
threading.Thread(target=server.serve_forever, daemon=True).start()
session = Session("store")


def ask(statement):
    """The result as lines of tab-separated values."""
    return str(session.query(statement, "TSVRaw")).strip()


print("chdb", version("chdb"), "chdb-core", version("chdb-core"), "engine", ask("SELECT version()"))
place = f"http://127.0.0.1:{server.server_port}/"
short = "http_retry_initial_backoff_ms = 1, http_retry_max_backoff_ms = 2"
for name, settings in (("d", short), ("once", f"{short}, http_max_tries = 1")):
    ask(f"""
        CREATE DICTIONARY {name} (q String, f String, a String) PRIMARY KEY q, f
        SOURCE(HTTP(URL '{place}' FORMAT 'JSONEachRow')) LAYOUT(COMPLEX_KEY_DIRECT()) SETTINGS({settings})""")
one_try = "SETTINGS http_max_tries = 1, http_make_head_request = 0"
expected = {
    f"SELECT * FROM url('{place}', 'JSONEachRow', 'a String') {one_try}": 1,
    f"SELECT dictGet('d', 'a', (materialize('q'), '')) {one_try}": 10,
    "SELECT dictGet('once', 'a', (materialize('q'), ''))": 1,
}
for statement, count in expected.items():
    requests.clear()
    try:
        ask(statement)
    except Exception as error:
        assert "503" in str(error), error
    else:
        raise AssertionError(statement)
    print(f"{len(requests):2} requests  {statement}")
    assert len(requests) == count, statement
session.close()
PYTHON
