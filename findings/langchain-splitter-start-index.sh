#!/usr/bin/env bash
# langchain-text-splitters 1.1.3: with add_start_index and a length_function that does not count characters (tokens, words),
# `start_index` is -1 for every other chunk, or the place of a later repetition. The search for a chunk starts at the end of the
# one before less `chunk_overlap`, which counts tokens and is subtracted from characters.
# Expected: the place at which the chunk stands in the text.
# Seen: chunks of ten words with four of overlap: the second stands at 36 and has -1. In a text that repeats itself the chunks
# stand at 0, 36, 72, 108, 144, 180 and have 0, 72, 144, -1, 72, 144. Issue 29884 of LangChain is of the -1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile langchain-text-splitters==1.1.3 langchain-core==1.8.3
cd "$work"
"$work/venv/bin/python" -I - <<'PYTHON'
from importlib.metadata import version

from langchain_text_splitters import RecursiveCharacterTextSplitter

print("langchain-text-splitters", version("langchain-text-splitters"))


def words(text):
    return len(text.split())


splitter = RecursiveCharacterTextSplitter(chunk_size=10, chunk_overlap=4, length_function=words, add_start_index=True)
different = " ".join(f"word{number}" for number in range(22))
repeated = " ".join(f"word{number % 6}" for number in range(40))
seen = {}
for name, text in (("different words", different), ("the same six words", repeated)):
    chunks = splitter.create_documents([text])
    places, start = [], 0
    for chunk in chunks:
        assert text.startswith(chunk.page_content, start)
        places.append(start)
        start += len(" ".join(chunk.page_content.split()[:6])) + 1  # six words are left when the last four repeat
    seen[name] = places, [chunk.metadata["start_index"] for chunk in chunks]
    print(f"{name}: chunks stand at {seen[name][0]}, start_index {seen[name][1]}")
assert seen["different words"] == ([0, 36, 74], [0, -1, 74])
assert seen["the same six words"] == ([0, 36, 72, 108, 144, 180], [0, 72, 144, -1, 72, 144])
PYTHON
