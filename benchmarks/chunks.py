"""How large chunks should be, how much they should overlap, and whether headings should be embedded with them.

    python benchmarks/chunks.py DIR [DIR ...] [--settings 100+30+headings 200+30 200+30+headings] [--questions 100]

A setting is the most tokens of a chunk, how many of them it may repeat, and `headings` where they are embedded with it.

DIR is a folder in BEIR layout. Where it has a folder `docs`, its documents are the files there, read as Markdown and named
as in corpus.jsonl, else the lines of corpus.jsonl. Every document is ingested anew for each setting, and each question is
asked as a user would (hybrid search unless --ranking says otherwise, 5 chunks). Printed in percent:

    nDCG@10   of documents, by their best chunk

where answers.jsonl has `spans` (start and end in the document, or in those that `docs` names), as
https://research.trychroma.com/evaluating-chunking defines them, of the tokens of the 5 chunks:

    recall    how many of the relevant tokens they hold
    precision how many of theirs are relevant, those that overlap counted each time
    IoU       tokens in both, of those in either
    @1000     recall within the first 1,000 tokens of the chunks, however many chunks that are

and where it has answers alone:

    holds     questions whose known answer stands in one of the 5 chunks
    first     questions whose known answer stands in the first quoted sentence, and
    quoted    in any of them
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # beside this file, `ingest` is a benchmark

import numpy as np

from ingest.chunk import chunker_name, split_document
from ingest.corpus import corpus_document
from ingest.cutting import fitting
from ingest.identity import manifest_document
from ingest.readers import markdown
from ingest.readers.raw_file import RawFile
from ingest.synchronize import prepare
from rag.evaluate.answer_measures import without_case
from rag.evaluate.beir import read_evaluation_set
from rag.evaluate.metrics import ndcg
from rag.index.indexer import Indexer
from rag.index.pipeline import Pipeline
from rag.library import Library
from sql.base.settings import RANKINGS
from sql.base.terminal import Silence
from sql.records.chunking import ChunkSettings
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from ingest.document import Document
    from rag.encoder.encoder import Encoder
    from rag.text.tokenizer import Tokenizer
    from sql.records import Hit

DEFAULTS = (ChunkSettings(100, 30), ChunkSettings(200, 30, headings=False), ChunkSettings(200, 30))
CHUNKS, WIDE, READ = 5, 40, 1000  # chunks of an answer, chunks that are looked at, tokens that somebody reads
Tokens = set[tuple[str, int]]


@dataclass(frozen=True)
class Question:
    """A question with its answers, the documents that are right, and where the answer stands, if that is known."""

    text: str
    answers: tuple[str, ...]
    grades: dict[str, int]
    spans: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Set:
    """Documents by their names, questions, and the place of every token of each document."""

    name: str
    documents: list[Document]
    questions: list[Question]
    starts: dict[str, NDArray[np.int64]]

    def tokens(self, source: str, start: int, end: int) -> Tokens:
        """The tokens that begin in a span."""
        starts = self.starts[source]
        return {(source, one) for one in range(*np.searchsorted(starts, [start, end]).tolist())}


def main() -> None:
    """Prints a line for each set and setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--settings", type=ChunkSettings.from_name, nargs="+", default=[*DEFAULTS], metavar="SETTING")
    parser.add_argument("--questions", type=int, default=100, help="drawn from each set (default %(default)s)")
    parser.add_argument("--ranking", choices=RANKINGS, default=RANKINGS[0])
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="some documents of the sets, and the questions about them"
    )
    options = parser.parse_args()
    for folder in options.folders:
        measure_set(folder, options.settings, options.questions, options.only, options.ranking)


def measure_set(
    folder: Path, settings: Sequence[ChunkSettings], questions: int, only: Sequence[str] | None, ranking: str
) -> None:
    """Prints a line for each setting."""
    with tempfile.TemporaryDirectory() as scratch, Store.open(scratch, write=True) as store:
        encoder = prepare(Library(store))
    given = read_set(folder, encoder.tokenizer, questions, only)
    print(f"{given.name}: {len(given.documents)} documents, {len(given.questions)} questions")
    for one in settings:
        measures = measure(given, one, encoder, ranking)
        line = "".join(f"{name} {100 * value:6.2f}  " for name, value in measures.items())
        print(f"  {one.name:18} {line}", flush=True)


def read_set(folder: Path, tokenizer: Tokenizer, questions: int, only: Sequence[str] | None = None) -> Set:
    """The set in a folder, or some of its documents."""
    given, files = read_evaluation_set(folder), folder / "docs"
    documents = [read_file(path) for path in sorted(files.iterdir())] if files.is_dir() else []
    documents = documents or [corpus_document(entry) for entry in given.corpus]
    documents = [one for one in documents if only is None or one.source in only]
    path = folder / "answers.jsonl"
    known = {row["_id"]: row for row in map(json.loads, path.read_text().splitlines())} if path.exists() else {}
    asked = [
        question_of(query.text, known.get(query.id, {}), dict(given.qrels[query.id]))
        for query in given.queries
        if query.id in given.qrels and (only is None or given.qrels[query.id].keys() <= set(only))
    ]
    drawn = random.Random(0).sample(asked, min(questions, len(asked)))
    starts = {one.source: np.maximum.accumulate(tokenizer.spans(one.text)[:, 0]) for one in documents}
    return Set(folder.name, documents, drawn, starts)


def read_file(path: Path) -> Document:
    """A Markdown file under the name that corpus.jsonl gives it."""
    (document,) = markdown.read(RawFile(path.stem, path.stem, "markdown", path.read_bytes()))
    return document


def question_of(text: str, row: dict[str, Any], grades: dict[str, int]) -> Question:
    """A question from a line of answers.jsonl."""
    spans = row.get("spans", [])
    sources = row.get("docs") or [row.get("doc_id", "")] * len(spans)
    places = tuple((source, start, end) for source, (start, end) in zip(sources, spans, strict=True))
    return Question(text, tuple(row.get("answers", ())), grades, places)


def measure(given: Set, settings: ChunkSettings, encoder: Encoder, ranking: str) -> dict[str, float]:
    """The measures of one setting, each the mean over the questions that have it."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch, Store.open(scratch, write=True) as store:
        library = Library(store, lambda: encoder)
        prepare(library)
        index(library, given, settings, encoder)
        for question in given.questions:
            for name, value in measures_of(library, given, question, ranking):
                found.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def index(library: Library, given: Set, settings: ChunkSettings, encoder: Encoder) -> None:
    """Puts the documents of a set into a store, cut by these settings."""
    indexer = Indexer(library.store, encoder.identity, library.language)
    with Pipeline(indexer, encoder, Silence()) as pipeline:
        for document in given.documents:
            stored = manifest_document(document, f"/{document.source}", chunker=chunker_name(settings))
            pipeline.add(stored, split_document(document, encoder.tokenizer, *fitting(settings, encoder)))
        pipeline.finish()


def measures_of(library: Library, given: Set, question: Question, ranking: str) -> Iterator[tuple[str, float]]:
    """What one question shows."""
    hits = library.search(question.text, k=WIDE, ranking=ranking)
    yield "nDCG@10", ndcg(list(dict.fromkeys(hit.source for hit in hits)), question.grades, 10)
    if question.spans:
        yield from token_measures(given, question, hits)
    elif question.answers:
        texts = [without_case(hit.text) for hit in hits[:CHUNKS]]
        citations = [without_case(one.text) for one in library.ask(question.text, ranking=ranking).citations]  # type: ignore[union-attr]
        answers = [without_case(one) for one in question.answers]
        for name, some in (("holds", texts), ("first", citations[:1]), ("quoted", citations)):
            yield name, float(any(answer in text for answer in answers for text in some))


def token_measures(
    given: Set, question: Question, hits: Sequence[Hit], room: int = READ
) -> Iterator[tuple[str, float]]:
    """Recall, precision and IoU of tokens, and the recall of who has room for so many."""
    relevant = set[tuple[str, int]]().union(*(given.tokens(*span) for span in question.spans))
    chunks = [given.tokens(hit.source, hit.start, hit.end) for hit in hits]
    shown = chunks[:CHUNKS]
    both, count = len(relevant & set().union(*shown)), sum(map(len, shown))
    yield "recall", both / len(relevant)
    yield "precision", both / count
    yield "IoU", both / (len(relevant) + count - both)
    read: Tokens = set()
    for chunk in chunks:
        room -= len(chunk)
        if room < 0:
            break
        read |= chunk
    yield "@1000", len(relevant & read) / len(relevant)


if __name__ == "__main__":
    main()
