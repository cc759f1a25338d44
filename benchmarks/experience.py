"""What a user sees who asks a real documentation tree: questions with known quotations, and some that it cannot answer.

    git clone https://github.com/pypa/hatch && git -C hatch checkout ed8e30bebf98f2fe4d70c18a32a50a8160c391cb
    python benchmarks/experience.py benchmarks/experience/hatch.jsonl hatch/docs

The first line of the questions says which tree, commit and licence they are about; every further line is a question. One
with an answer names the files (`sources`) that hold it and a regular expression (`expected`) that a right quotation
matches, white space taken as single; one without them has no answer in the tree. The tree is indexed in a temporary
store, and every question is asked with `python -m rag ask` as a user would.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

NO_ANSWER = 3  # the exit code of `rag ask`


@dataclass(frozen=True)
class Question:
    """A question, the files that answer it and the pattern of a right quotation; no files means that none answers it."""

    question: str
    sources: tuple[str, ...] = ()
    expected: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of one question. `place` is that of the first right quotation, from 1; 0 if none shown is right."""

    question: str
    answerable: bool
    answered: bool
    right_file: bool
    place: int
    shown: tuple[str, ...]

    @property
    def verdict(self) -> str:
        if not self.answered:
            return "none"
        if not self.answerable:
            return "answered all the same"
        return {0: "wrong", 1: "first"}.get(self.place, "shown")


def main() -> None:
    """Prints a line for each question and the counts, or with --json one record of both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", type=Path, help="a JSONL file such as benchmarks/experience/hatch.jsonl")
    parser.add_argument("tree", type=Path, help="the folder of documents that the questions are about")
    parser.add_argument("-k", type=int, help="how many chunks each answer may take from (default: that of rag ask)")
    parser.add_argument("--show", action="store_true", help="print what was quoted where it was not right")
    parser.add_argument("--json", action="store_true", help="print one JSON record")
    options = parser.parse_args()
    about, questions = read_questions(options.questions)
    tree = options.tree.resolve(strict=True)
    if not options.json:
        print(", ".join(f"{name} {value}" for name, value in about.items()), flush=True)
    outcomes = []
    with tempfile.TemporaryDirectory() as scratch:
        run("ingest", str(tree), "--db", "store", folder=scratch)
        further = [] if options.k is None else ["-k", str(options.k)]
        for question in questions:
            outcomes.append(judge(question, ask(question.question, scratch, further), tree))
            if not options.json:
                print_outcome(outcomes[-1], options.show)
    counts = count(outcomes)
    if options.json:
        records = [asdict(outcome) | {"verdict": outcome.verdict} for outcome in outcomes]
        print(json.dumps({"about": about, "counts": counts, "questions": records}, ensure_ascii=False))
    else:
        print(*(f"{value:4}  {name}" for name, value in counts.items()), sep="\n")


def print_outcome(outcome: Outcome, show: bool) -> None:
    """One line for the question, at once; with `show` what was quoted instead of the right sentence."""
    print(f"{outcome.verdict:22}{outcome.question}", flush=True)
    if show and outcome.verdict not in {"first", "shown"}:
        print(*(f"{'':22}  > {text}\n" for text in outcome.shown), sep="", end="", flush=True)


def read_questions(path: Path) -> tuple[dict[str, str], list[Question]]:
    """What the questions are about, and the questions."""
    first, *lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return first, [
        Question(line["question"], tuple(line.get("sources", ())), line.get("expected", "")) for line in lines
    ]


def ask(question: str, folder: str, further: list[str]) -> dict[str, Any]:
    """The record that `rag ask --json` prints."""
    answer: dict[str, Any] = json.loads(run("rag", "ask", question, "--db", "store", "--json", *further, folder=folder))
    return answer


def run(*arguments: str, folder: str) -> str:
    """Standard output of `python -m ...` with this interpreter; the folder is one that shadows no module."""
    ended = subprocess.run([sys.executable, "-m", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if ended.returncode not in {0, NO_ANSWER}:
        raise SystemExit(f"python -m {' '.join(arguments)} ended with {ended.returncode}: {ended.stderr}")
    return ended.stdout


def judge(question: Question, answer: dict[str, Any], tree: Path) -> Outcome:
    """Compares what was shown with what should have been. A list that is quoted apart from its introduction belongs to
    it: a quotation is right, too, when it completes the pattern together with those before it from the same file."""
    sources = {str(tree / source) for source in question.sources}
    pattern = re.compile(question.expected)
    place, shown, so_far = 0, [], dict.fromkeys(sources, "")
    for number, citation in enumerate(answer["citations"], start=1):
        source, text = citation["source"], " ".join(citation["text"].split())
        shown.append(f"{Path(source).relative_to(tree)}:{citation['line']}  {text}")
        if source not in sources:
            continue
        so_far[source] = f"{so_far[source]} {text}"
        if not place and pattern.search(so_far[source]):
            place = number
    right_file = any(citation["source"] in sources for citation in answer["citations"])
    return Outcome(question.question, bool(sources), answer["answered"], right_file, place, tuple(shown))


def count(outcomes: list[Outcome]) -> dict[str, int]:
    """How many questions had which outcome, in the words that are printed."""
    own = [outcome for outcome in outcomes if outcome.answerable]
    foreign = [outcome for outcome in outcomes if not outcome.answerable]
    return {
        "questions with an answer": len(own),
        "right file cited": sum(outcome.right_file for outcome in own),
        "right sentence first": sum(outcome.verdict == "first" for outcome in own),
        "right sentence shown": sum(outcome.verdict in {"first", "shown"} for outcome in own),
        "wrong shown": sum(outcome.verdict == "wrong" for outcome in own),
        "none": sum(outcome.verdict == "none" for outcome in own),
        "questions without an answer": len(foreign),
        "of these answered all the same": sum(outcome.answered for outcome in foreign),
    }


if __name__ == "__main__":
    main()
