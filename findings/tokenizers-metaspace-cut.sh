#!/usr/bin/env bash
# tokenizers 0.23.3: with a Unigram model and the pre-tokenizer Metaspace (multilingual-e5, paraphrase-multilingual) a
# text that is cut where a token starts can have more tokens than were left of it: the rest begins with a word mark of its
# own. This mark's span is that of the first character, so the spans of two tokens overlap.
# Expected: the tokens of the rest are the rest of the tokens, as with WordPiece, or at least not more of them.
# Seen: "greenhouse" is 2 tokens; cut at its second one, "house" is 2 tokens again, with the spans (0, 1) and (0, 5).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile tokenizers==0.23.3
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

from tokenizers import Tokenizer, models, pre_tokenizers

print("tokenizers", version("tokenizers"))
pieces = [("<unk>", 0.0), ("▁", -3.0), ("▁green", -2.0), ("house", -2.5)]
tokenizer = Tokenizer(models.Unigram(pieces, 0, byte_fallback=False))
tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
text = "greenhouse"
whole = tokenizer.encode(text)
cut = whole.offsets[-1][0]
rest = tokenizer.encode(text[cut:])
print(text, whole.tokens, whole.offsets)
print(text[cut:], rest.tokens, rest.offsets)
assert whole.tokens == ["▁green", "house"]
assert rest.tokens == ["▁", "house"]
assert rest.offsets == [(0, 1), (0, 5)]
PYTHON
