"""Answers from real documentation: 40 questions whose sentence was located by hand beforehand, and 10 without an answer.

    pip download --no-deps --no-binary :all: click==8.1.7 attrs==24.2.0 flask==3.0.3 && tar xzf ...
    python benchmarks/answers_docs.py FOLDER [--verbose]

FOLDER holds the unpacked source packages. `answers_docs.jsonl` beside this file names the file and the line of the sentence
that answers each question. A citation is right where that line is among its own; an unanswerable question is refused where
there is no answer at all.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # beside this file, `ingest` is a benchmark

import ingest
import rag

QUESTIONS = Path(__file__).with_name("answers_docs.jsonl")
PACKAGES = ("click-8.1.7", "attrs-24.2.0", "flask-3.0.3")


def main() -> None:
    """Prints how many first and shown sentences are right, and how many unanswerable questions are refused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--verbose", action="store_true", help="print what was wrong")
    options = parser.parse_args()
    questions = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    first = shown = answered = refused = sentences = 0
    with tempfile.TemporaryDirectory() as scratch, rag.open(scratch, write=True) as library:
        ingest.sync(library, [str(options.folder / package / "docs") for package in PACKAGES])
        for known in questions:
            answer = library.ask(known["question"])
            if "file" not in known:
                refused += not answer.answered
                right = not answer.answered
            else:
                met = [
                    one.source.endswith(known["file"]) and one.line <= known["line"] <= one.line + one.text.count("\n")
                    for one in answer.citations
                ]
                first, shown = first + any(met[:1]), shown + any(met)
                answered, sentences = answered + answer.answered, sentences + len(met)
                right = any(met[:1])
            if options.verbose and not right:
                quoted = "; ".join(f"{one.source[-30:]}:{one.line} {one.text[:120]!r}" for one in answer.citations)
                print(
                    f"{known['question']} ({known.get('file')}:{known.get('line')}, {answer.confidence:.2f}): {quoted}"
                )
    count = sum("file" in known for known in questions)
    print(f"right first sentence {first} of {count}, among those shown {shown} ({sentences / count:.2f} sentences)")
    print(f"answered {answered} of {count}; refused {refused} of {len(questions) - count} without an answer")


if __name__ == "__main__":
    main()
