#!/usr/bin/env bash
# lxml 6.1.3: where a document type outside of the file would declare it, a reference such as &kiln; stays a node in text with
# resolve_entities=False, and is dropped from the value of an attribute; written out again, the file has lost it.
# Expected: the reference in both, or an error.
# Seen: `Set &kiln; now` keeps it, `label="Set &kiln; now"` becomes "Set  now". error_log has the same warning for both.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile lxml==6.1.3
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

from lxml import etree

print("lxml", version("lxml"))
document = b'<!DOCTYPE guide SYSTEM "guide.dtd"><guide><step label="Set &kiln; now">Set &kiln; now</step></guide>'
parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True)
root = etree.fromstring(document, parser)
written = etree.tostring(root[0]).decode()
print("written again:", written)
log = {(entry.level_name, entry.type_name) for entry in parser.error_log}
print("log:", *log)
assert written == '<step label="Set  now">Set &kiln; now</step>'
assert log == {("WARNING", "WAR_UNDECLARED_ENTITY")}
PYTHON
