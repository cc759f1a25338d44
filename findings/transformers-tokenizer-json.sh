#!/usr/bin/env bash
# transformers 5.24.0 with tokenizers 0.23.3: AutoTokenizer reads only the vocabulary of a tokenizer.json whose
# configuration names BertTokenizer, and replaces normalizer and pre-tokenizer with those of the class. The ids then differ
# from those that the file gives, which the model was trained with, and no warning says so.
# Expected: the pipeline that the file describes; with the class PreTrainedTokenizerFast it is kept.
# Seen: a file that keeps accents and hyphens; with BertTokenizer both are gone.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile transformers==5.24.0 tokenizers==0.23.3
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
import json
import os
from importlib.metadata import version
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer

print("transformers", version("transformers"), "tokenizers", version("tokenizers"))
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "résumé", "resume", "red-blue", "red", "-", "blue"]
tokenizer = Tokenizer(models.WordPiece({word: id for id, word in enumerate(words)}, unk_token="[UNK]"))
tokenizer.normalizer = normalizers.Lowercase()
tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
special = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]"}
text = "Résumé red-blue"
seen = {"tokenizer.json": tokenizer.encode(text).tokens}
for name in ("PreTrainedTokenizerFast", "BertTokenizer"):
    folder = Path(name)
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(special | {"tokenizer_class": name}))
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    seen[name] = AutoTokenizer.from_pretrained(name).tokenize(text)
for name, tokens in seen.items():
    print(f"{name:25}", *tokens)
assert seen["tokenizer.json"] == ["résumé", "red-blue"]
assert seen["PreTrainedTokenizerFast"] == ["résumé", "red-blue"]
assert seen["BertTokenizer"] == ["resume", "red", "-", "blue"]
PYTHON
