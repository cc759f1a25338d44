"""Questions with known answers in, what speaks for the sentences found for each out, for benchmarks/answers_fit.py.

Two kinds of question are asked: those of a folder in BEIR layout with answers.jsonl, whose lines say where the answers begin,
with further ones of benchmarks/encyclopedia about its documents, and those of benchmarks/documentation about a tree of
documentation, whose right sentences match a pattern.
"""

from __future__ import annotations

import json
import pickle
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))  # beside this file, `ingest` is a benchmark

from experience import read_questions

from ingest.corpus import index_corpus
from ingest.synchronize import prepare, sync
from rag.answer.answer import looked_at, most_telling, possible_answers
from rag.answer.evidence import gather_evidence
from rag.evaluate.answer_measures import without_case
from rag.evaluate.beir import read_corpus
from rag.library import Library
from rag.retrieve.words import Rarities, word_rarities
from rag.text.analyser import analyse
from sql.base.settings import DEFAULT_K
from sql.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from rag.answer.candidates import Candidate
    from rag.answer.merit import Evidence
    from rag.encoder.encoder import Encoder
    from sql.records import Hit

QUESTIONS = Path(__file__).with_name("documentation")
DOCUMENTATION = "documentation"  # what the questions about all trees together are called
WRITTEN = Path(__file__).with_name("encyclopedia")  # further questions about the documents of a set
ENCYCLOPEDIA = "encyclopedia"  # what those about all sets together are called


@dataclass(frozen=True)
class Asked:
    """A question with what was found for it; `right` says which sentences hold a known answer, `exact` where it stands."""

    folder: str
    article: str
    has_answer: bool
    is_removed: bool
    evidence: Evidence | None
    right: NDArray[np.bool_]
    exact: NDArray[np.bool_]


def remembered(place: Path, cache: Path | None) -> list[Asked]:
    """Every question about a folder, asked now or in an earlier run with the same cache."""
    known = cache / f"{place.name}.pickle" if cache else None
    if known and known.exists():
        return list(pickle.loads(known.read_bytes()))  # noqa: S301 - what this program has written
    asked = list(ask_set(place) if (place / "answers.jsonl").exists() else ask_tree(place))
    if known:
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_bytes(pickle.dumps(asked))
    return asked


@dataclass(frozen=True)
class OfSet:
    """A question of a set in BEIR layout, as its line has it."""

    folder: str
    article: str
    line: dict[str, Any]

    @property
    def question(self) -> str:
        """Its text."""
        return str(self.line["question"])

    @property
    def has_answer(self) -> bool:
        """Whether the set knows one."""
        return bool(self.line["answers"])

    def is_home(self, hit: Hit) -> bool:
        """Whether a chunk is of the document that it was asked about; it goes where what answers is taken away."""
        return bool(hit.source == self.line["doc_id"])

    def judge(self, candidate: Candidate) -> tuple[bool, bool]:
        """Whether a sentence holds the words of an answer, and whether one begins in it."""
        quotation, text = candidate.quotation, without_case(candidate.quotation.text)
        starts = self.line.get("answer_start", []) if self.is_home(candidate.hit) else []
        return (
            any(without_case(answer) in text for answer in self.line["answers"]),
            any(quotation.start <= start < quotation.end for start in starts),
        )


@dataclass(frozen=True)
class OfTree:
    """A question about a tree: the paths of the files that answer it, none for no answer, and what a right sentence matches."""

    article: str
    question: str
    sources: frozenset[str]
    pattern: re.Pattern[str]
    folder: str = DOCUMENTATION

    @property
    def has_answer(self) -> bool:
        """Whether a file answers it."""
        return bool(self.sources)

    def is_home(self, hit: Hit) -> bool:
        """Whether the answer stands in a chunk, which goes where what answers is taken away."""
        return self.matches(hit.source, hit.text)

    def judge(self, candidate: Candidate) -> tuple[bool, bool]:
        """Whether a sentence answers; there is no other place."""
        is_right = self.matches(candidate.hit.source, candidate.quotation.text)
        return is_right, is_right

    def matches(self, source: str, text: str) -> bool:
        """Whether a text of a file answers."""
        return source in self.sources and self.pattern.search(" ".join(text.split())) is not None


Known = OfSet | OfTree  # a question of which it is known what answers it


def ask_set(folder: Path) -> Iterable[Asked]:
    """Every question of a folder, with and without the document that answers it."""
    with tempfile.TemporaryDirectory() as scratch, Store.open(scratch, write=True) as store:
        library = Library(store)
        prepare(library)
        index_corpus(library, folder, read_corpus(folder))
        articles = read_articles(folder)
        for text in (folder / "answers.jsonl").read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            yield from ask_twice(library, OfSet(folder.name, articles[line["doc_id"]], line))
        for line in read_written(folder):
            yield from ask_twice(library, OfSet(ENCYCLOPEDIA, articles[line["doc_id"]], line))


def read_written(folder: Path) -> Iterable[dict[str, Any]]:
    """The further questions about a set as its own lines have them; the file says only where each answer begins and ends."""
    place = WRITTEN / f"{folder.name}.jsonl"
    if not place.exists():
        return
    texts = {entry.id: entry.text for entry in read_corpus(folder)}
    for text in place.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        start, end = line["answer"]
        yield line | {"answers": [texts[line["doc_id"]][start:end]], "answer_start": [start]}


def read_articles(folder: Path) -> dict[str, str]:
    """The article of each document, by its id."""
    lines = (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    documents = [json.loads(line) for line in lines]
    return {one["_id"]: one.get("article") or one["_id"].rsplit("-", 1)[0] for one in documents}


def ask_tree(tree: Path) -> Iterable[Asked]:
    """Every question about a tree of documentation, with and without the chunks that answer it."""
    _, questions = read_questions(QUESTIONS / f"{tree.name}.jsonl")
    tree = tree.resolve()
    with tempfile.TemporaryDirectory() as scratch, Store.open(scratch, write=True) as store:
        library = Library(store)
        sync(library, [str(tree)])
        for one in questions:
            sources = frozenset(str(tree / source) for source in one.sources)
            yield from ask_twice(library, OfTree(tree.name, one.question, sources, re.compile(one.expected)))


def ask_twice(library: Library, known: Known) -> Iterable[Asked]:
    """A question asked of all documents, and without what answers it."""
    snapshot = library.store.snapshot()
    query = library.encoder.encode_query(known.question)
    most = looked_at(known.question, DEFAULT_K) + DEFAULT_K  # of which some may go
    request = library.request(known.question, vector=query, k=most)
    hits = snapshot.with_outlines(library.retriever.retrieve(snapshot, request))
    rarities = word_rarities(snapshot, known.question)
    yield ask(known, query, hits, rarities, library.encoder, is_removed=False)
    gone = [hit for hit in hits if known.is_home(hit)]
    fewer = dict(rarities.frequencies)
    for hit in gone:
        for term in fewer.keys() & set(analyse(hit.text, rarities.language)):
            fewer[term] = max(0, fewer[term] - 1)
    rest = [hit for hit in hits if not known.is_home(hit)]
    without = Rarities(rarities.language, fewer, rarities.chunks - len(gone))
    yield ask(known, query, rest, without, library.encoder, is_removed=True)


def ask(
    known: Known,
    query: NDArray[np.float32],
    hits: Sequence[Hit],
    rarities: Rarities,
    encoder: Encoder,
    *,
    is_removed: bool,
) -> Asked:
    """What speaks for the sentences of the chunks that `Library.ask` would look at."""
    most = most_telling(known.question, hits[: looked_at(known.question, DEFAULT_K)])[:DEFAULT_K]
    candidates = possible_answers(known.question, most)
    judged = np.array([known.judge(candidate) for candidate in candidates], np.bool_).reshape(-1, 2)
    evidence = gather_evidence(known.question, query, candidates, encoder, rarities) if candidates else None
    if evidence is not None:
        judged = judged[evidence.read]
    return Asked(known.folder, known.article, known.has_answer, is_removed, evidence, judged[:, 0], judged[:, 1])
