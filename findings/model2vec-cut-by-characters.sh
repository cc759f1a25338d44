#!/usr/bin/env bash
# model2vec 0.10.0: `encode` cuts a text to max_length (512) times the median length of the vocabulary's tokens in characters
# before it looks for tokens; spaces count. A text of fewer tokens than max_length loses its end, for instance a table in
# columns of a text file. The documentation speaks of tokens beyond max_length alone.
# Expected: all tokens up to max_length.
# Seen: 120 words in columns of 20 characters, with a limit of 512 tokens: the last 43 have no part in the vector, and two
# texts that differ in the last word are the same. The cut came with pull request 47 of model2vec, for speed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile model2vec==0.10.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from model2vec import StaticModel
from tokenizers import Tokenizer, models, pre_tokenizers

print("model2vec", version("model2vec"), "tokenizers", version("tokenizers"), "numpy", version("numpy"))
words = ["[UNK]"] + [f"w{n}" for n in range(10, 100)] + ["gold", "lead"]
tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
model = StaticModel(np.eye(len(words), dtype=np.float32), tokenizer)
row = [f"w{10 + n % 90}" for n in range(119)]


def table(last):
    """120 words, each in a column of 20 characters."""
    return "".join(word.ljust(20) for word in [*row, last])


tokens = len(tokenizer.encode(table("gold")).ids)
same = bool((model.encode(table("gold")) == model.encode(table("lead"))).all())
differ = bool((model.encode(table("gold"), max_length=None) == model.encode(table("lead"), max_length=None)).all())
counted = sum(bool((model.encode(" ".join(row[:n])) == model.encode(table("gold"))).all()) * n for n in range(1, 120))
print(tokens, "tokens, max_length", model.max_length, "median token length", model.median_token_length)
print("gold and lead at the end give one vector:", same, "- without a limit:", differ)
print("the vector is that of the first", counted, "words")
assert tokens < model.max_length == 512
assert same and not differ and counted == 77
PYTHON
