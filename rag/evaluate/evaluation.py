"""How well a store answers a set of judged queries: rankings by SQL search in, nDCG, recall and MRR out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.answer.answer import answer_from_store
from rag.encoder.encoder import Encoder
from rag.evaluate.metrics import evaluate
from rag.int8.quantization import quantize_query
from rag.retrieve.retriever import Retriever
from sql.base.errors import RagError
from sql.base.settings import DEFAULT_K

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from rag.evaluate.beir import KnownAnswer, Query
    from sql.records import QuantizedQuery
    from sql.search.search import SearchOptions
    from sql.store import Store

DEPTH = 100  # documents a ranking holds; recall@100 needs no more
CHUNKS = 200  # of a search by words, from which the documents are taken: long ones have several among them


def evaluate_modes(
    store: Store,
    encoder: Encoder,
    queries: Sequence[Query],
    qrels: Mapping[str, Mapping[str, int]],
    how: SearchOptions | None = None,
) -> dict[str, dict[str, float]]:
    """The measures of every search mode in SQL; documents count by their best chunk. `how` is about the vectors."""
    retriever, epoch = Retriever(store, encoder), store.epoch()
    rankings: dict[str, dict[str, list[str]]] = {"vector": {}, "bm25": {}, "hybrid": {}}
    for query, vector in zip(queries, encoder.encode_queries([query.text for query in queries]), strict=True):
        for mode, found in rankings.items():
            found[query.id] = rank_documents(retriever, query.text, vector, mode, epoch, how)
    return {mode: evaluate(found, qrels) for mode, found in rankings.items()}


def rank_documents(
    retriever: Retriever,
    question: str,
    vector: NDArray[np.float32],
    mode: str,
    epoch: int,
    how: SearchOptions | None = None,
) -> list[str]:
    """The sources of the best chunks, each once, best first."""
    if mode == "vector":
        return nearest_documents(retriever.store, quantize_query(vector), epoch, how)
    # Only the sources count here: without the vector, BM25 leaves the stored ones unread.
    known = None if mode == "bm25" else vector
    finder = replace(retriever, encoder=None) if mode == "bm25" else retriever
    hits = finder.retrieve(question, CHUNKS, mode=mode, vector=known, epoch=epoch, how=how)
    return list(dict.fromkeys(hit.source for hit in hits))[:DEPTH]


def nearest_documents(store: Store, query: QuantizedQuery, epoch: int, how: SearchOptions | None) -> list[str]:
    """The sources of the documents nearest to a query, best first."""
    if how is None or how.mode in {"auto", "exact"}:
        return [source for source, _ in store.search_documents(query, DEPTH, epoch)]
    return [hit.source for hit in store.search(query, DEPTH, epoch, per_document=1, how=how)]


def evaluate_floats(
    store: Store,
    encoder: Encoder,
    queries: Sequence[Query],
    qrels: Mapping[str, Mapping[str, int]],
) -> dict[str, float]:
    """The measures of float32 vectors of a float32 model over the same chunks, compared exactly in memory."""
    rows = store.chunk_texts()
    if not rows:
        raise RagError("the store holds no chunks: there is nothing to search")
    vectors = encoder.encode_documents([text for _, text in rows])
    names, owners = np.unique([source for source, _ in rows], return_inverse=True)
    rankings = {
        query.id: best_documents(vectors @ vector, names, owners)
        for query, vector in zip(queries, encoder.encode_queries([query.text for query in queries]), strict=True)
    }
    return evaluate(rankings, qrels)


def best_documents(scores: NDArray[np.float32], names: NDArray[np.str_], owners: NDArray[np.int64]) -> list[str]:
    """The documents of the best chunks, each once, best first."""
    best = np.full(len(names), -np.inf, dtype=np.float32)
    np.maximum.at(best, owners, scores)
    order = np.argsort(-best, kind="stable")[:DEPTH]
    return [str(names[row]) for row in order]


@dataclass(frozen=True)
class RememberingEncoder(Encoder):
    """An encoder that computes each passage once: the questions of a set meet the same sentences again and again."""

    known: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def encode_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] = lambda count: None
    ) -> NDArray[np.float32]:
        """Vectors of passages, float32 (texts, dimensions)."""
        new = list(dict.fromkeys(text for text in texts if text not in self.known))
        if new:
            self.known.update(zip(new, super().encode_documents(new, progress), strict=True))
        return np.stack([self.known[text] for text in texts])


def evaluate_answers(store: Store, encoder: Encoder, answers: Sequence[KnownAnswer]) -> dict[str, Any]:
    """How often the extractive answer holds a known one, cites its document, or abstains; parts of all questions."""
    epoch, kernel = store.epoch(), encoder.kernel
    encoder = RememberingEncoder(encoder.config, encoder.tokenizer, lambda: kernel)
    retriever = Retriever(store, encoder)
    found = cited = abstained = 0
    for known in answers:
        vector = encoder.encode_query(known.question)
        hits = store.with_outlines(retriever.retrieve(known.question, DEFAULT_K, vector=vector, epoch=epoch))
        answer = answer_from_store(retriever, known.question, vector, hits)
        text = folded(answer.text)
        abstained += not answer.answered
        found += any(folded(expected) in text for expected in known.answers)
        cited += any(citation.source == known.document_id for citation in answer.citations)
    total = max(len(answers), 1)
    return {
        "questions": len(answers),
        "contains_answer": found / total,
        "cites_document": cited / total,
        "abstained": abstained / total,
    }


def folded(text: str) -> str:
    """Text without differences of case and white space."""
    return " ".join(text.casefold().split())
