"""Two sets of questions about documents with headings, in the layout that benchmarks/chunks.py reads.

    git clone https://github.com/lesliepy99/RAG-EDA && git -C RAG-EDA checkout dc7ff02
    python benchmarks/chunk_sets.py ord-qa RAG-EDA/benchmark sets/ord-qa

    git clone https://github.com/pypa/hatch && git -C hatch checkout ed8e30bebf98f2fe4d70c18a32a50a8160c391cb
    python benchmarks/chunk_sets.py hatch hatch/docs sets/hatch

ORD-QA has 90 questions about the documentation of OpenROAD, each with the sections that answer it; its sections are put
together again, without the headings that each repeats of those before. The questions about Hatch are those of
benchmarks/experience/hatch.jsonl; what answers one are the lines that the pattern of a right quotation matches.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Span = tuple[str, int, int]  # a document and a part of its text

QUESTIONS = Path(__file__).parent / "experience" / "hatch.jsonl"
NAME_LINE = re.compile(r"id:[^\n]*\n")
UPPER_HEADING = re.compile(r"#{1,2} ")


def main() -> None:
    """Writes a set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=SETS)
    parser.add_argument("source", type=Path, help="the folder it is made from")
    parser.add_argument("target", type=Path, help="the folder to write")
    options = parser.parse_args()
    write_set(options.target, *SETS[options.set](options.source))


def ord_qa(folder: Path) -> tuple[dict[str, str], list[tuple[str, list[Span]]]]:
    """The documents of ORD-QA, and its questions with the sections that answer them."""
    texts: dict[str, str] = {}
    sections: dict[str, Span] = {}
    for document in json.loads((folder / "openroad_documentation.json").read_text(encoding="utf-8")):
        source, text, seen = document["source"], "", set[str]()
        for part in document["knowledge"]:
            section = without_repeated(NAME_LINE.sub("", part["content"], count=1).strip("\n"), seen)
            sections[part["id"]] = source, len(text), len(text) + len(section)
            text += f"{section}\n\n"
        texts[source] = text
    rows = [json.loads(line) for line in (folder / "ORD-QA.jsonl").read_text(encoding="utf-8").splitlines()]
    return texts, [(row["question"].strip(), [sections[name] for name in row["reference"]]) for row in rows]


def without_repeated(section: str, seen: set[str]) -> str:
    """A section without the headings of the first two levels that stand further up."""
    lines, in_code = [], False
    for line in section.split("\n"):
        in_code ^= line.lstrip().startswith("```")
        if not in_code and UPPER_HEADING.match(line):
            if line in seen:
                continue
            seen.add(line)
        lines.append(line)
    return "\n".join(lines).strip("\n")


def hatch(folder: Path) -> tuple[dict[str, str], list[tuple[str, list[Span]]]]:
    """The documentation of Hatch, and the questions that it answers with the lines that do."""
    texts = {document_name(path.relative_to(folder)): read(path) for path in sorted(folder.rglob("*.md"))}
    rows = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()[1:]]
    asked = []
    for row in rows:
        names = [document_name(Path(source)) for source in row.get("sources", ())]
        pattern = re.compile(row.get("expected", "").replace(" ", r"\s+"))
        if spans := [
            (name, *whole_lines(texts[name], found)) for name in names if (found := pattern.search(texts[name]))
        ]:
            asked.append((row["question"], spans))
    return texts, asked


def document_name(path: Path) -> str:
    """`config-hatch` for `config/hatch.md`."""
    return path.with_suffix("").as_posix().replace("/", "-")


def read(path: Path) -> str:
    """The text of a file with its line ends."""
    return path.read_bytes().decode()


def whole_lines(text: str, found: re.Match[str]) -> tuple[int, int]:
    """Start and end of the lines that a match is in."""
    end = text.find("\n", found.end())
    return text.rfind("\n", 0, found.start()) + 1, len(text) if end < 0 else end


def write_set(folder: Path, texts: Mapping[str, str], asked: Sequence[tuple[str, list[Span]]]) -> None:
    """The documents as Markdown files, and the questions with the places of their answers."""
    for part in ("docs", "qrels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / "docs" / f"{name}.md").write_bytes(text.encode())
    write_lines(folder / "corpus.jsonl", [{"_id": name, "title": "", "text": text} for name, text in texts.items()])
    write_lines(
        folder / "queries.jsonl",
        [{"_id": f"q{number}", "text": question} for number, (question, _) in enumerate(asked)],
    )
    write_lines(folder / "answers.jsonl", [answer_row(number, *one, texts) for number, one in enumerate(asked)])
    right = [
        f"q{number}\t{name}\t1\n"
        for number, (_, spans) in enumerate(asked)
        for name in sorted({span[0] for span in spans})
    ]
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(right), encoding="utf-8")


def answer_row(number: int, question: str, spans: Sequence[Span], texts: Mapping[str, str]) -> dict[str, Any]:
    """A line of answers.jsonl."""
    return {
        "_id": f"q{number}",
        "question": question,
        "answers": [texts[name][start:end] for name, start, end in spans],
        "doc_id": spans[0][0],
        "docs": [name for name, _, _ in spans],
        "spans": [[start, end] for _, start, end in spans],
    }


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Rows as JSON Lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


SETS = {"ord-qa": ord_qa, "hatch": hatch}

if __name__ == "__main__":
    main()
