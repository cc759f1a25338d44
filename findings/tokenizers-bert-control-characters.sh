#!/usr/bin/env bash
# tokenizers 0.23.3: BertNormalizer deletes U+000B, U+000C and U+0085, which end a line for str.splitlines and for many
# programs that write text, and so makes one word of the last word of a line and the first of the next one.
# Expected: a space in their place, as for the line feed, the tab and U+2028. BERT's own tokenizer deletes control characters
# too; that ends of lines are among them is the surprise.
# Seen: "red" + U+000B + "blue" becomes "redblue", with U+2028 "red blue".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile tokenizers==0.23.3
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

from tokenizers import normalizers

print("tokenizers", version("tokenizers"))
normalizer = normalizers.BertNormalizer()
seen = {char: normalizer.normalize_str(f"red{char}blue") for char in "\n\t\u2028\v\f\x85"}
for char, text in seen.items():
    print(f"U+{ord(char):04X}: {text}; str.splitlines divides: {len(f'red{char}blue'.splitlines()) == 2}")
assert [seen[char] for char in "\n\t\u2028"] == ["red blue"] * 3
assert [seen[char] for char in "\v\f\x85"] == ["redblue"] * 3
PYTHON
