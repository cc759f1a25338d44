"""Queries in, the documents that a store finds for them out, by every ranking there is; measures are taken elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rag.compute.side_by_side import MOST_THREADS, at_one_time
from rag.index.surroundings import embedded_text
from rag.int8.quantization import quantize_query
from rag.retrieve.rerank import reranked
from sql.base.errors import RagError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from rag.encoder.encoder import Encoder
    from rag.evaluate.beir import Query
    from rag.library import Library
    from sql.search.request import SearchRequest
    from sql.store import Store

RANKED_DOCUMENTS = 100  # documents a ranking holds; recall@100 needs no more
RERANKED_MODE = "hybrid+rerank"  # there is one where the library has a cross-encoder
RERANKED_FOR = 10  # hits, the first ten being what most measures look at
CHUNKS = 200  # of a search by words, from which the documents are taken: long ones have several among them


def rank_in_modes(
    library: Library, queries: Sequence[Query], vectors: Mapping[str, NDArray[np.float32]], request: SearchRequest
) -> dict[str, dict[str, list[str]]]:
    """The documents that every ranking in SQL finds, each by its best chunk, best first: `rankings[mode][query]`.

    `request` says how the vectors are searched; its question takes the place of each query's, and of `vectors`, which has
    that of every query's text, its vector.
    """
    at, reranker = library.store.epoch(), library.reranker()
    found: dict[str, dict[str, list[str]]] = {"vector": {}, "bm25": {}, "hybrid": {}}
    if reranker is not None:
        found[RERANKED_MODE] = {}

    def ranked(query: Query) -> list[list[str]]:
        asked = replace(request, question=query.text, vector=vectors[query.text], epoch=at)
        return [rank_documents(library, asked, mode) for mode in found]

    # searches share statements; a cross-encoder has all processors to itself
    rankings = at_one_time(ranked, queries, 1 if reranker is not None else MOST_THREADS)
    for query, of_query in zip(queries, rankings, strict=True):
        for mode, ranking in zip(found, of_query, strict=True):
            found[mode][query.id] = ranking
    return found


def question_vectors(encoder: Encoder, texts: Iterable[str]) -> dict[str, NDArray[np.float32]]:
    """The vectors of questions by their texts, each encoded once: float32 (dimensions,)."""
    different = list(dict.fromkeys(texts))
    return dict(zip(different, encoder.encode_queries(different), strict=True)) if different else {}


def rank_documents(library: Library, request: SearchRequest, mode: str) -> list[str]:
    """The sources of the best chunks by a ranking, here a mode's name, each once, best first.

    With a cross-encoder the chunks of `hybrid` that it would read for ten hits come first, in its order, and the rest behind.
    """
    if mode == "vector":
        return nearest_documents(library, replace(request, ranking=mode, k=RANKED_DOCUMENTS))
    # Only the sources count here: without the vector, BM25 leaves the stored ones unread.
    by_words = {"ranking": "words", "vector": None}
    wanted = replace(request, k=CHUNKS, **(by_words if mode == "bm25" else {"ranking": "hybrid"}))
    hits = library.search(wanted, rerank="none")
    if mode == RERANKED_MODE and (reranker := library.reranker()) is not None:
        count = reranker.candidates(RERANKED_FOR)
        hits = [*reranked(reranker, request.question, hits[:count]), *hits[count:]]
    return list(dict.fromkeys(hit.source for hit in hits))[:RANKED_DOCUMENTS]


def nearest_documents(library: Library, request: SearchRequest) -> list[str]:
    """The sources of the documents nearest to a request's vector, best first."""
    if request.vector is not None and request.strategy in {"auto", "exact"}:
        snapshot = library.store.snapshot(request.epoch)
        return [source for source, _ in snapshot.search_documents(quantize_query(request.vector), request)]
    return [hit.source for hit in library.search(replace(request, per_document=1), rerank="none")]


def rank_by_floats(store: Store, encoder: Encoder, queries: Sequence[Query]) -> dict[str, list[str]]:
    """The documents that float32 vectors of a float32 model find over the same chunks, compared exactly in memory."""
    rows = store.snapshot().chunks()
    if not rows:
        raise RagError("the store holds no chunks: there is nothing to search")
    vectors = encoder.encode_documents([embedded_text(chunk, document, encoder) for document, chunk in rows])
    names, owners = np.unique([document.source for document, _ in rows], return_inverse=True)
    return {
        query.id: best_documents(vectors @ vector, names, owners)
        for query, vector in zip(queries, encoder.encode_queries([query.text for query in queries]), strict=True)
    }


def best_documents(scores: NDArray[np.float32], names: NDArray[np.str_], owners: NDArray[np.int64]) -> list[str]:
    """The documents of the best chunks, each once, best first."""
    best = np.full(len(names), -np.inf, dtype=np.float32)
    np.maximum.at(best, owners, scores)
    order = np.argsort(-best, kind="stable")[:RANKED_DOCUMENTS]
    return [str(names[row]) for row in order]
