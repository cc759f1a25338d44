"""A store without judgements in, a set of questions to it out: those that were asked, and those that its documents suggest.

A heading is what somebody looks up, a definition ("A kiln is an oven ...") answers a question ("What is a kiln?"), and the
query log has what people really asked. What is right is not known of any of them, so they are judged by what can be known:
the ten chunks that a float32 model with float32 vectors finds, compared exactly. How well a search agrees with that is no
measure of its quality, but it tells what int8, candidates and cells have changed on these documents and these questions.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.evaluate.beir import EvaluationSet, Query
from rag.evaluate.evaluation import question_vectors
from rag.index.surroundings import embedded_text
from rag.text.sentences import split_sentences
from sql.base.errors import RagError
from sql.base.wording import counted
from sql.store.query_log import QueryLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from rag.encoder.encoder import Encoder
    from rag.library import Library
    from sql.records import Chunk, LiveDocument
    from sql.search.request import SearchRequest

QUESTIONS = 300  # enough for an interval of some 2 % around a recall of 0.98
MOST_CHUNKS = 2_000  # that a float32 model encodes, in a minute or two; of more, whole documents are drawn
RIGHT = 10  # chunks of the float32 ranking that count as relevant
RANKED = 100
FEWEST_WORDS, MOST_WORDS = 2, 12  # of a heading that is asked: "Overview" is nobody's question
WORD = re.compile(r"[^\W\d_]{2,}")
# The beginning of a sentence that says what something is, in English and in German, and the question that it answers.
DEFINITIONS = (
    (re.compile(r"((?:An?|The) )?((?:[\w-]+ ){0,3}[\w-]+) (is|are) (?:an?|the) "), "What {verb} {thing}?"),
    (
        re.compile(r"((?:Eine?|Der|Die|Das) )?((?:[\w-]+ ){0,3}[\w-]+) (ist|sind) (?:eine?r?|der|die|das) "),
        "Was {verb} {thing}?",
    ),
)
NO_THINGS = {"it", "this", "that", "there", "they", "he", "she", "here", "these", "those", "what", "which", "who", "one", "we",
             "es", "dies", "das", "er", "sie", "hier", "was", "wer", "dieser", "diese", "dieses"}  # fmt: skip

Row = tuple["LiveDocument", "Chunk"]


@dataclass(frozen=True)
class StoreSet:
    """Questions to a store with what float32 finds for each, and what the store finds, chunks by their places."""

    given: EvaluationSet
    rankings: Mapping[str, Mapping[str, Sequence[str]]]
    kinds: Mapping[str, int]
    chunks: int
    stored: int

    def record(self) -> dict[str, Any]:
        """What the figures were made of, as JSON."""
        return {"questions": dict(self.kinds), "chunks": self.chunks, "stored_chunks": self.stored}


def evaluate_store(library: Library, request: SearchRequest, floats: Callable[[], Encoder]) -> StoreSet:
    """Asks a store questions of its own. `request` says how vectors are searched, `floats` loads the float32 model.

    Raises RagError for a store without chunks, or one that suggests no question.
    """
    library, snapshot = replace(library, log=None), library.store.snapshot()  # nobody asked these questions
    rows = snapshot.chunks()
    drawn = drawn_documents(rows, MOST_CHUNKS)
    some = rows if drawn is None else [row for row in rows if row[0].source in drawn]
    if not some:
        raise RagError("the store holds no chunks: there is nothing to ask")
    kinds, queries = chosen(asked_before(library), definitions(some), headings(some))
    if not queries:
        raise RagError(
            "the store suggests no question: no query was logged, no heading has two words or more, and no sentence says "
            "what something is"
        )
    if drawn is not None:
        request = limited(request, drawn)
    what = f"{counted(len(queries), 'question')}: a float32 model reads {counted(len(some), 'chunk')} for what is right"
    library.announce(f"{what}, which takes a while")
    qrels = float_truth(some, floats(), queries)
    return StoreSet(
        EvaluationSet([], queries, qrels), rank_chunks(library, queries, request), kinds, len(some), len(rows)
    )


def limited(request: SearchRequest, sources: Iterable[str]) -> SearchRequest:
    """A request that looks at these documents alone."""
    return replace(request, filter={"source": {"$in": sorted(sources)}})


def drawn_documents(rows: Sequence[Row], most: int) -> set[str] | None:
    """Sources of documents that have so many chunks together, the same on every run; None where all of them have no more."""
    if len(rows) <= most:
        return None
    sizes = Counter(document.source for document, _ in rows)
    drawn: set[str] = set()
    total = 0
    for source in sorted(sizes, key=question_id):
        if drawn and total + sizes[source] > most:
            break
        drawn.add(source)
        total += sizes[source]
    return drawn


# Questions


def chosen(*kinds: tuple[str, Iterable[str]]) -> tuple[dict[str, int], list[Query]]:
    """At most QUESTIONS different ones, the kinds in their order; of each kind how many, and some that are the same on every
    run.

    Half of what is left goes to each kind but the last, so that no kind keeps the others out.
    """
    counts: dict[str, int] = {}
    queries: dict[str, Query] = {}
    for number, (kind, texts) in enumerate(kinds, start=1):
        room = QUESTIONS - len(queries)
        room = room if number == len(kinds) else room // 2
        new = {question_id(text): text for text in texts}
        taken = [Query(name, new[name]) for name in sorted(new) if name not in queries][:room]
        queries |= {query.id: query for query in taken}
        counts[kind] = len(taken)
    return counts, list(queries.values())


def question_id(text: str) -> str:
    """A name for a question that is the same on every run, and in no order that means anything."""
    return blake2b(text.encode(), digest_size=8).hexdigest()


def asked_before(library: Library) -> tuple[str, list[str]]:
    """The newest questions of the query log."""
    return "logged", [row["question"] for row in QueryLog(library.store).newest(QUESTIONS)]


def headings(rows: Sequence[Row]) -> tuple[str, list[str]]:
    """The headings that stand in one document only and have some words."""
    found: dict[str, set[str]] = {}
    for document, chunk in rows:
        found.setdefault(chunk.heading.rsplit(" > ", 1)[-1].strip(), set()).add(document.source)
    return "headings", [
        text
        for text, sources in found.items()
        if len(sources) == 1 and FEWEST_WORDS <= len(WORD.findall(text)) <= MOST_WORDS
    ]


def definitions(rows: Sequence[Row]) -> tuple[str, list[str]]:
    """What sentences say what something is, as questions."""
    return "definitions", [question for _, chunk in rows for question in defined_in(chunk.text)]


def defined_in(text: str) -> Iterator[str]:
    """The questions that the sentences of a text answer by their beginnings.

    >>> list(defined_in("A kiln is an oven for clay. It is a hot one."))
    ['What is a kiln?']
    """
    for start, end in split_sentences(text):
        for pattern, question in DEFINITIONS:
            match = pattern.match(text, start, end)
            if match is None or match[2].casefold() in NO_THINGS or not WORD.search(match[2]):
                continue
            article = (match[1] or "").lower()
            yield question.format(verb=match[3], thing=f"{article}{' '.join(match[2].split())}")


# What float32 finds, and what the store finds


def place(source: str, start: int) -> str:
    """A chunk by its place."""
    return f"{source}#{start}"


def float_truth(rows: Sequence[Row], floats: Encoder, queries: Sequence[Query]) -> dict[str, dict[str, int]]:
    """The RIGHT chunks nearest to each question by the vectors of a float32 model, all with the grade 1."""
    vectors = floats.encode_documents([embedded_text(chunk, document, floats) for document, chunk in rows])
    names = [place(document.source, chunk.start) for document, chunk in rows]
    asked = question_vectors(floats, [query.text for query in queries])
    return {query.id: {names[row]: 1 for row in nearest(vectors, asked[query.text])} for query in queries}


def nearest(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> list[int]:
    """The rows of the RIGHT highest inner products, best first."""
    order: list[int] = np.argsort(-(vectors @ query), kind="stable")[:RIGHT].tolist()
    return order


def rank_chunks(library: Library, queries: Sequence[Query], request: SearchRequest) -> dict[str, dict[str, list[str]]]:
    """The places of the chunks that the search by vectors finds for every question, best first.

    Words are another matter: that they find other chunks than float32 vectors is what they are for.
    """
    at, vectors = library.store.epoch(), question_vectors(library.encoder, [query.text for query in queries])
    wanted = replace(request, ranking="vector", epoch=at, k=RANKED)
    found: dict[str, list[str]] = {}
    for query in queries:
        hits = library.search(replace(wanted, question=query.text, vector=vectors[query.text]), rerank="none")
        found[query.id] = list(dict.fromkeys(place(hit.source, hit.start) for hit in hits))
    return {"vector": found}
