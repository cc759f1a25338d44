#!/usr/bin/env bash
# lxml 6.1.3: `sourceline` of an element that an HTML parser has read stops at 65535; everything further down a long page has that
# number. Elements of the XML parser go on counting.
# Expected: the line, or None.
# Seen: the last paragraph of 70,000 lines has 65535 from lxml.html and 70000 from lxml.etree.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile lxml==6.1.3
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

import lxml.html
from lxml import etree

print("lxml", version("lxml"))
page = "<html><body>" + "<p>line</p>\n" * 70000 + "</body></html>"
seen = {}
for name, root in (("lxml.html", lxml.html.fromstring(page)), ("lxml.etree", etree.fromstring(page))):
    lines = [paragraph.sourceline for paragraph in root.iter("p")]
    seen[name] = lines[65533], lines[-1]
    print(f"{name:11} line 65534 is {seen[name][0]}, line 70000 is {seen[name][1]}")
assert seen == {"lxml.html": (65534, 65535), "lxml.etree": (65534, 70000)}
PYTHON
