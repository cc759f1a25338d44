#!/usr/bin/env bash
# snowballstemmer 3.1.1: a word typed without its accents often gets another stem than the word with them, even if the
# accents of the stems are removed; some endings are known with their accents alone. Accents have to go before stemming.
# Expected: stems that agree once accents are removed, as those of Spanish nouns do.
# Seen (stem of the word, without accents; stem of the word that was typed without them): Portuguese inform and informaca,
# French separ and separe, Catalan inform and informac, English resume and resum; Spanish inform both times.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile snowballstemmer==3.1.1
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
import unicodedata
from importlib.metadata import version

import snowballstemmer

print("snowballstemmer", version("snowballstemmer"))


def plain(text):
    """The text without its accents."""
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


seen = {}
for language, word in (
    ("spanish", "información"),
    ("portuguese", "informação"),
    ("french", "séparée"),
    ("catalan", "informació"),
    ("english", "résumé"),
):
    stem = snowballstemmer.stemmer(language).stemWord
    seen[language] = plain(stem(word)), stem(plain(word))
    print(f"{language:11}{word}:", *seen[language])
assert seen == {
    "spanish": ("inform", "inform"),
    "portuguese": ("inform", "informaca"),
    "french": ("separ", "separe"),
    "catalan": ("inform", "informac"),
    "english": ("resume", "resum"),
}
PYTHON
