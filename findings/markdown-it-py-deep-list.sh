#!/usr/bin/env bash
# markdown-it-py 4.3.0: with its standard settings (maxNesting 20, of which a level of a list takes two) everything after a
# list of eleven levels is missing from the page, headings and paragraphs up to the end of the document. No error.
# Expected: what lies too deep is left out or flattened and what follows the list stays, or an exception.
# Seen: the heading after a list of nine levels is there, after one of eleven levels it is not.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile markdown-it-py==4.3.0
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

from markdown_it import MarkdownIt

print("markdown-it-py", version("markdown-it-py"))
seen = {}
for levels in (9, 11):
    text = "".join("  " * depth + "- item\n" for depth in range(levels)) + "\n# Heading\n\nLast words\n"
    page = MarkdownIt().render(text)
    seen[levels] = "Heading" in page and "Last words" in page
    print(f"what follows a list of {levels} levels is on the page: {seen[levels]}")
assert seen == {9: True, 11: False}
PYTHON
