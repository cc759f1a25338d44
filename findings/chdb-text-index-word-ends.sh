#!/usr/bin/env bash
# chdb 4.4.0 (ClickHouse 26.9.2.1): the tokenizer splitByNonAlpha of text indexes splits at ASCII characters alone; every
# other character counts as part of a word, dashes, quotation marks and full-width commas too.
# Expected: words end at what is no letter or digit, as the name says.
# Seen: one token each for a word in typographic quotation marks, two words joined by a dash and two by a comma of Chinese.
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

ascii_marks = ask("SELECT tokens('\"glaze\" kiln-temperature', 'splitByNonAlpha')")
other_marks = ask("SELECT tokens('“glaze” kiln—temperature 東京、大阪', 'splitByNonAlpha')")
print("ASCII marks:", ascii_marks)
print("other marks:", other_marks)
assert ascii_marks == "['glaze','kiln','temperature']"
assert other_marks == "['“glaze”','kiln—temperature','東京、大阪']"
PYTHON
