"""A request and its hits in; out comes what is proven of their order by float32 vectors (sql/search/certificate.py)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rag.int8.quantization import quantize_query
from sql.base.errors import UsageError
from sql.search.certificate import WordsShare, certify_words
from sql.search.certificate_among_all import Scored
from sql.store.snapshot import unwatched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.retrieve.retriever import Retriever
    from sql.records import Hit, QuantizedQuery
    from sql.search.certificate import Certificate
    from sql.search.request import SearchRequest
    from sql.store import Snapshot

# Of so many chunks the BM25 score is looked up; no other one has a higher score than the last of them, which is little.
SCORED_BY_WORDS = 1000


def certify_hits(
    retriever: Retriever,
    snapshot: Snapshot,
    request: SearchRequest,
    hits: Sequence[Hit],
    scored: Scored | None = None,
) -> Certificate:
    """The certificate of the hits that a retriever has found in a snapshot for a request.

    In a small store what the search has `scored` suffices, and without it one look at all chunks; in a large one it takes a
    look at all visible chunks and one at the hits, and by words and meaning one more. Raises UsageError for a request with a
    reranker, whose order no score of ours explains, and for one by vectors that has none.
    """
    if request.reranker is not None:
        raise UsageError("the order of a reranker cannot be certified: leave it out, or search without a certificate")
    if request.ranking == "words":
        return certify_words([hit.score for hit in hits])
    if request.vector is None:
        raise UsageError(f"the ranking {request.ranking!r} compares vectors and the request has none: give one")
    query = quantize_query(request.vector)
    if retriever.may_look_at_all(snapshot, request, unwatched):
        return snapshot.certify_among_all(
            query, request, hits, scored or score_all(retriever, snapshot, request, query)
        )
    words = words_share(retriever, snapshot, request) if request.ranking == "hybrid" else None
    return snapshot.certify(query, request, hits, words)


def score_all(retriever: Retriever, snapshot: Snapshot, request: SearchRequest, query: QuantizedQuery) -> Scored:
    """Both scores of everything in a small store, or only that of vectors where words have no part in the ranking."""
    if request.ranking == "hybrid" and (scored := retriever.score_all(snapshot, request, query)) is not None:
        return scored
    return Scored(snapshot.score_everything(query, request, ()))


def words_share(retriever: Retriever, snapshot: Snapshot, request: SearchRequest) -> WordsShare | None:
    """The part of words in the scores of a hybrid search of a large store; None where no chunk holds a word of the question."""
    words = retriever.word_query(snapshot, request)
    if words is None:
        return None
    scores = snapshot.rank_by_words(words, replace(request, k=SCORED_BY_WORDS, per_document=None))
    rest = min(scores.values()) if len(scores) == SCORED_BY_WORDS else 0.0
    return WordsShare(retriever.vector_share(request.question), words.most, scores, rest)
