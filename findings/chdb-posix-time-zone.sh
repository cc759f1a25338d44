#!/usr/bin/env bash
# chdb 4.4.0 (chdb-core 26.9.0): where TZ is a rule in the form of POSIX, such as CET-1CEST,M3.5.0,M10.5.0/3, chdb cannot
# be imported, and the error says that chdb-core is not installed. The C library and Python take such a value.
# Expected: local time by the rule or UTC; at least an error about TZ.
# Seen: ImportError: chdb-core engine not found. Install it with: pip install chdb-core
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps chdb==4.4.0 chdb-core==26.9.0
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
import os
import subprocess
import sys
from importlib.metadata import version

print("chdb", version("chdb"), "chdb-core", version("chdb-core"))
ended = {}
for zone in ("UTC", "CET-1CEST,M3.5.0,M10.5.0/3"):
    command = [sys.executable, "-I", "-c", "import chdb; print(chdb.query('SELECT 1'))"]
    ended[zone] = subprocess.run(command, env=os.environ | {"TZ": zone}, capture_output=True, text=True, check=False)
    print(f"TZ={zone}: exit code {ended[zone].returncode}", *ended[zone].stderr.splitlines()[-1:])
good, bad = ended.values()
assert good.returncode == 0
assert bad.returncode == 1
assert "chdb-core engine not found" in bad.stderr
PYTHON
