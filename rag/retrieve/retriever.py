"""A question in, the chunks that fit it best out: by meaning, by words, or by both together.

    retriever = Retriever(lambda: encoder.tokenizer)
    hits = retriever.retrieve(store.snapshot(), SearchRequest("How are chunks published?", vector=vector, k=5))

Everything that looks for chunks finds them here. docs/hybrid.md explains the scores and how the weights were chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rag.int8.quantization import quantize_query
from rag.retrieve.rerank import CrossEncoder, reranked
from rag.retrieve.words import asked_words, weighed_among, weighed_words
from rag.text.analyser import WORD, visible
from sql.base.errors import UsageError
from sql.search.certificate_among_all import Scored, WordsOfAll
from sql.store.snapshot import unwatched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rag.text.tokenizer import Tokenizer
    from sql.records import Candidate, Hit, QuantizedQuery, WordQuery
    from sql.search.everything import Everything
    from sql.search.request import SearchRequest
    from sql.search.words import WordScores
    from sql.store import Snapshot
    from sql.store.snapshot import Watch

# Looked at by each of the two searches before their scores are put together; of a cosine and a BM25 score that both lie
# below rank 100 nothing in the first ten is made: 50, 100 and 1,000 give the same nDCG@10 on every set.
FUSED_CANDIDATES = 100
LOOK_AT_ALL = ("auto", "exact")  # strategies for which a small store is searched without candidates
# The part of the cosine in a hybrid score for an encoder that knows every word of the question as one piece. It falls
# with the pieces that a word is cut into: such words were rare where the encoder learned.
VECTOR_SHARE = 0.45
HIGHEST_COSINE = 1.01  # of int8 vectors, whose lengths are 1 but for what quantization changed
ROUNDING = 1e-9  # of a score that is computed here and in the database


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for a request, and, where the search has scored everything, all scores: a certificate needs them."""

    hits: list[Hit]
    scored: Scored | None = None


@dataclass
class Retriever:
    """Finds chunks for questions. Safe to use from any thread.

    `tokenizer` gives that of the encoder whose vectors are searched; None where its vocabulary is not known here. Without
    `looks_at_all` a small store is searched by the statements of a large one, which put both scores together in SQL.
    """

    tokenizer: Callable[[], Tokenizer] | None = None
    looks_at_all: bool = True
    _last_words: tuple[str, str, Snapshot, WordQuery | None] | None = None

    def retrieve(self, snapshot: Snapshot, request: SearchRequest, watch: Watch = unwatched) -> list[Hit]:
        """The best chunks for a request, best first; `watch` hears of every statement."""
        return self.find(snapshot, request, watch).hits

    def find(self, snapshot: Snapshot, request: SearchRequest, watch: Watch = unwatched) -> Found:
        """The same chunks with what a search of a small store has looked at.

        A search by words has the cosines of its hits too where the request brings a vector. Raises UsageError for another
        ranking without a vector, InvalidFilter where nothing can pass the filter because no chunk has a name or a type of
        value in it, StoreMismatch for words of another analyser.
        """
        wanted = before_reranking(request)
        query = None if request.vector is None else quantize_query(request.vector)
        if request.ranking == "words":
            found = Found(self._by_words(snapshot, wanted, query, watch))
        elif query is None:
            raise UsageError(
                f"the ranking {request.ranking!r} compares vectors and the request has none: give one, or rank by words"
            )
        elif request.ranking == "vector":
            found = Found(by_meaning(snapshot, wanted, query, watch))
        else:
            found = self._by_both(snapshot, wanted, query, watch)
        if request.filter and not found.hits:
            snapshot.refuse_hopeless(request.filter)
        if request.reranker is None:
            return found
        return Found(reranked(request.reranker, request.question, found.hits)[: request.k])

    def may_look_at_all(self, snapshot: Snapshot, request: SearchRequest, watch: Watch) -> bool:
        """Whether a search may look at every chunk and every posting."""
        return self.looks_at_all and request.strategy in LOOK_AT_ALL and snapshot.visible(watch).is_small

    def vector_share(self, question: str) -> float:
        """The part of the cosine in the hybrid score of a question: VECTOR_SHARE, or less for words cut into pieces."""
        return VECTOR_SHARE / (pieces_per_word(question, self.tokenizer()) if self.tokenizer else 1)

    def word_query(self, snapshot: Snapshot, request: SearchRequest, watch: Watch = unwatched) -> WordQuery | None:
        """What a question asks of the word index, with the rarity that its words have at an epoch.

        None where no chunk holds any of its words.
        """
        asked = request.question, request.language, snapshot
        last = self._last_words
        if last is not None and last[:3] == asked:
            return last[3]
        words = weighed_words(snapshot, request.question, request.language, watch)
        # One is enough: the modes of an evaluation ask the same question one after the other. One assignment, so that
        # threads may share a retriever.
        self._last_words = *asked, words
        return words

    def _by_words(
        self, snapshot: Snapshot, request: SearchRequest, query: QuantizedQuery | None, watch: Watch
    ) -> list[Hit]:
        """Hits in the order of BM25; with their cosines where the question has a vector."""
        if (query is not None or not request.filter) and self.may_look_at_all(snapshot, request, watch):
            return by_words_among_all(snapshot, request, query, watch)
        _, scores = self._ranked_by_words(snapshot, request, request.k, (), watch)
        if not scores:
            return []
        if query is None:
            return snapshot.word_hits(scores, request, watch)
        in_sql = not self.looks_at_all
        return snapshot.hybrid_hits(scores, query, request, watch, vector_share=0.0, most=1.0, in_sql=in_sql)

    def _ranked_by_words(
        self, snapshot: Snapshot, request: SearchRequest, k: int, near: Sequence[Candidate], watch: Watch
    ) -> tuple[WordQuery | None, WordScores]:
        """What a question asks of the word index, None where no chunk holds any of its words; and the k best chunks by words,
        those of the chunks `near` first.
        """
        asked = asked_words(snapshot, request.question, request.language)
        at_hand = self.looks_at_all and request.condition is None and request.per_document is None
        if asked is not None and at_hand and (holders := snapshot.holders(asked.terms, watch)) is not None:
            words = weighed_among(holders, asked, snapshot.text_statistics())
            self._last_words = request.question, request.language, snapshot, words
            return words, holders.best(words, k, near) if words else {}
        words = self.word_query(snapshot, request, watch)
        return words, snapshot.rank_by_words(words, replace(request, k=k), near, watch) if words else {}

    def _by_both(self, snapshot: Snapshot, request: SearchRequest, query: QuantizedQuery, watch: Watch) -> Found:
        """The chunks in the order of the weighted mean of both scores: of a small store all, else candidates of both."""
        if self.may_look_at_all(snapshot, request, watch):
            return self._by_both_among_all(snapshot, request, query, watch)
        candidates = max(FUSED_CANDIDATES, request.k)
        if asked_words(snapshot, request.question, request.language) is None:
            return Found(by_meaning(snapshot, request, query, watch))
        near = snapshot.candidates(query, replace(request, k=candidates), watch)
        words, best = self._ranked_by_words(snapshot, request, len(near) + candidates, near, watch)
        if words is None:
            return Found(by_meaning(snapshot, request, query, watch))
        scores = dict.fromkeys(((one.generation, one.chunk_index) for one in near), 0.0)
        scores |= best
        if not scores:
            return Found([])
        share = self.vector_share(request.question)
        if request.per_document is None:
            scores = contenders(scores, near, request.k, share, words.most)
        in_sql = not self.looks_at_all
        parts = {"vector_share": share, "most": words.most}
        return Found(snapshot.hybrid_hits(scores, query, request, watch, **parts, in_sql=in_sql))

    def _by_both_among_all(
        self, snapshot: Snapshot, request: SearchRequest, query: QuantizedQuery, watch: Watch
    ) -> Found:
        """Both scores of every chunk: there are no candidates that could be missed."""
        scored = self.score_all(snapshot, request, query, watch)
        if scored is None:
            return Found(by_meaning(snapshot, request, query, watch))
        everything, words = scored.everything, scored.words
        columns = {"score": everything.products, "vector_score": everything.products}
        if words is not None:
            columns |= {"score": words.mixed(everything.products), "bm25_score": words.scores}
        return Found(best_hits(snapshot, request, everything, columns, watch), scored)

    def score_all(
        self, snapshot: Snapshot, request: SearchRequest, query: QuantizedQuery, watch: Watch = unwatched
    ) -> Scored | None:
        """Both scores of every chunk of a small store; None where the question has no words to ask the store for."""
        asked = asked_words(snapshot, request.question, request.language)
        if asked is None:
            return None
        everything = snapshot.score_everything(query, request, asked.terms, watch)
        words = weighed_among(everything, asked, snapshot.text_statistics())
        if words is None:
            return Scored(everything)
        share = self.vector_share(request.question)
        return Scored(everything, WordsOfAll(share, words.most, everything.word_scores(words)))


def before_reranking(request: SearchRequest) -> SearchRequest:
    """The search that finds what a request's reranker is given; the request itself where it has none."""
    rerank = request.reranker
    if rerank is None:
        return request
    most = rerank.candidates(request.k) if isinstance(rerank, CrossEncoder) else max(request.k, FUSED_CANDIDATES)
    return replace(request, k=most, reranker=None)


def by_words_among_all(
    snapshot: Snapshot, request: SearchRequest, query: QuantizedQuery | None, watch: Watch
) -> list[Hit]:
    """The chunks of a small store that hold a word of the question, in the order of BM25."""
    asked = asked_words(snapshot, request.question, request.language)
    if asked is None:
        return []
    if query is None:
        everything = snapshot.postings(asked.terms, watch)
    else:
        everything = snapshot.score_everything(query, request, asked.terms, watch)
    words = weighed_among(everything, asked, snapshot.text_statistics())
    if words is None:
        return []
    by_words = everything.word_scores(words)
    columns = {"score": by_words, "bm25_score": by_words}
    if query is not None:
        columns["vector_score"] = everything.products
    hits = best_hits(snapshot, request, everything, columns, watch)
    return [hit for hit in hits if hit.score > 0]


def best_hits(
    snapshot: Snapshot,
    request: SearchRequest,
    everything: Everything,
    columns: Mapping[str, NDArray[np.float64]],
    watch: Watch,
) -> list[Hit]:
    """The chunks with the k highest numbers in the column `score`, with what the columns say of them."""
    best = everything.best(columns["score"], request.k, request.per_document).tolist()
    scored = [(everything.place(row), {name: float(column[row]) for name, column in columns.items()}) for row in best]
    return snapshot.hits_at(scored, watch)


def by_meaning(snapshot: Snapshot, request: SearchRequest, query: QuantizedQuery, watch: Watch) -> list[Hit]:
    """The chunks nearest to a query, which have no other score."""
    return [replace(hit, vector_score=hit.score) for hit in snapshot.search(query, request, watch)]


def contenders(
    scores: dict[tuple[int, int], float], near: Sequence[Candidate], k: int, share: float, most: float
) -> dict[tuple[int, int], float]:
    """Those places whose hybrid score can be among the k highest: nothing is read of the others.

    Of the chunks `near` both scores are known. The cosine of the others is not: a search of cells or in two stages may
    have missed a nearer one. Vectors of length 1 have none above 1; where there are others, none above the nearest.
    """
    cosines = {(one.generation, one.chunk_index): one.score for one in near}
    if len(cosines) < k:
        return scores
    highest = max(HIGHEST_COSINE, near[0].score)

    def hybrid(place: tuple[int, int]) -> float:
        return share * cosines.get(place, highest) + (1 - share) * scores[place] / most

    least = sorted(map(hybrid, cosines), reverse=True)[k - 1] - ROUNDING
    return {place: score for place, score in scores.items() if hybrid(place) >= least}


def pieces_per_word(question: str, tokenizer: Tokenizer) -> float:
    """How many pieces the encoder's tokenizer cuts a word of the question into, on average; 1 or more.

    English has 1.1 with the default encoder, German 2.2: the encoder knows few German words.
    """
    words = WORD.findall(visible(question))
    pieces = sum(tokenizer.count(word) for word in words)
    return max(1.0, pieces / len(words)) if words else 1.0
