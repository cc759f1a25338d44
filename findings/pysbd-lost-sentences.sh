#!/usr/bin/env bash
# pysbd 0.3.4: a sentence that holds one of a dozen characters is missing from the result, by text and by span, although
# `clean=False` is to leave the text as it is: the rules use them as marks. Among them are the sign of the sun (U+2609, a mass in
# astronomy), the flat of music (U+266D) and the closed integrals (U+222E, U+222F).
# Expected: the sentences together are the text.
# Seen: of "It has 8 [U+266D] now. Then it is over." only "Then it is over." comes back, in English and in German; so with the
# integrals. With the sun "It has 8 [U+2609] " is missing. With a sharp (U+266F) and an open integral (U+222B) all is there.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile pysbd==0.3.4
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

import pysbd

print("pysbd", version("pysbd"))
rest = "Then it is over."
for sign in "\u2609\u266d\u222e\u222f\u266f\u222b":
    text = f"It has 8 {sign} now. {rest}"
    for language in ("en", "de"):
        sentences = pysbd.Segmenter(language=language, clean=False).segment(text)
        spans = [(s.start, s.end) for s in pysbd.Segmenter(language=language, clean=False, char_span=True).segment(text)]
        print(language, ascii(text), ascii(sentences), spans, "of", len(text))
        if sign in "\u266f\u222b":
            assert "".join(sentences) == text and len(spans) == 2
        else:
            assert sentences[-1] == rest and "".join(sentences) in ("now. " + rest, rest)
            assert sum(end - start for start, end in spans) <= len("now. " + rest)
PYTHON
