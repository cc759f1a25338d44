"""A question in, the chunks that fit it best out: by meaning, by words, or by both together.

    retriever = Retriever(store, encoder)
    hits = retriever.retrieve("How are chunks published?", k=5)             # hybrid, the best on all sets measured

`ask`, `search` and `eval` find their chunks here. docs/hybrid.md explains the scores and how the weights were chosen.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from rag.int8.quantization import quantize_query
from rag.text.analyser import (
    ANALYSER,
    MULTIPLE,
    UNKNOWN,
    analyse,
    choose_language,
    codes_of,
    compound_parts,
    compounds_are_written_together,
    detect_language,
    possible_parts,
    question_forms,
    visible,
)
from sql.base.errors import StoreMismatch, UsageError
from sql.base.settings import RETRIEVAL_MODES
from sql.records import TextStatistics, WordQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rag.encoder.encoder import Encoder
    from rag.text.tokenizer import Tokenizer
    from sql.records import Hit, QuantizedQuery
    from sql.search.filters import Filter
    from sql.search.search import SearchOptions, Step
    from sql.store import Store

    Watch = Callable[[Step], None]

# Looked at by each of the two searches before their scores are put together; of a cosine and a BM25 score that both lie
# below rank 100 nothing in the first ten is made: 50, 100 and 1,000 give the same nDCG@10 on every set.
CANDIDATES = 100
# The part of the cosine in a hybrid score for an encoder that knows every word of the question as one piece. It falls
# with the pieces that a word is cut into: such words were rare where the encoder learned.
VECTOR_SHARE = 0.45
COMPOUND_WEIGHT = 0.5  # of a part of a compound, next to the compound itself; 0.3 to 0.7 do equally well
# Of a word in the form of another language than the question's, next to its form in that: in a store of XQuAD English and
# German 0.5 finds more than 0 and than 1.
OTHER_LANGUAGE_WEIGHT = 0.5
HIGHEST_COSINE = 1.01  # of int8 vectors, whose lengths are 1 but for what quantization changed
ROUNDING = 1e-9  # of a score that is computed here and in the database
RANK_CONSTANT = 60  # Cormack, Clarke and Buettcher, 2009: reciprocal rank fusion
WORD = re.compile(r"\w+")


class Reranker(Protocol):
    """Anything that can judge chunks better than a search, one by one; there is none in this package."""

    def scores(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        """One score a text; a higher one fits the question better."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked for: see Retriever.retrieve."""

    question: str
    k: int
    epoch: int
    filter: Filter | None
    per_document: int | None
    how: SearchOptions | None
    watch: Watch


@dataclass(frozen=True, slots=True)
class Rarities:
    """How many chunks of a store hold each term of a question, in the question's language; nothing of a store without words."""

    language: str = ""
    frequencies: Mapping[str, int] = field(default_factory=dict)
    chunks: int = 0

    def rarity(self, term: str) -> float:
        """The inverse document frequency of a term, 0 where nothing is known."""
        return rarity(self.frequencies.get(term, 0), self.chunks) if self.chunks else 0.0


@dataclass
class Retriever:
    """Finds chunks for questions in one store. `encoder` may be None for searches by words alone.

    `language` is that of the questions: a code of rag.text.analyser.LANGUAGES, `none`, or `auto` to find out. `rerank` gives
    the candidates their final order; it is off by default.
    """

    store: Store
    encoder: Encoder | None = None
    language: str = "auto"
    rerank: Reranker | None = None
    _statistics: dict[int, TextStatistics] = field(default_factory=dict)
    _last_words: tuple[str, int, WordQuery | None] | None = None

    def retrieve(
        self,
        question: str,
        k: int,
        *,
        mode: str = RETRIEVAL_MODES[0],
        vector: NDArray[np.float32] | None = None,
        epoch: int | None = None,
        filter: Filter | None = None,  # noqa: A002 - the word everyone uses for it
        per_document: int | None = None,
        how: SearchOptions | None = None,
        watch: Watch = lambda step: None,
    ) -> list[Hit]:
        """The k best chunks for a question, best first, all of one moment; `watch` hears of every statement.

        `filter` says which chunks may be found, `per_document` how many of one document, and `how` is about the search
        by vectors: see Store.search.
        Raises InvalidFilter where nothing can pass the filter, because no chunk has a name or a type of value in it.
        `vector` is the question's, float32 (dimensions,), where it has been computed already. Raises UsageError for an
        unknown mode or one that needs the encoder that is missing, StoreMismatch for words of another analyser.
        """
        if mode not in RETRIEVAL_MODES:
            raise UsageError(f"the search mode {mode!r} is not known: it must be one of {', '.join(RETRIEVAL_MODES)}")
        at = self.store.epoch() if epoch is None else epoch
        query = self._query(question, vector)
        ask = Ask(question, k if self.rerank is None else max(k, CANDIDATES), at, filter, per_document, how, watch)
        if mode == "bm25":
            hits = self._by_words(ask, query)
        elif query is None:
            raise UsageError(f"the search mode {mode!r} needs an encoder: give one, or search with the mode 'bm25'")
        elif mode == "vector":
            hits = self._by_meaning(ask, query, ask.k)
        else:
            hits = self._by_both(ask, query)
        if filter and not hits:
            self.store.refuse_hopeless(filter, at)
        return hits if self.rerank is None else reranked(self.rerank, question, hits)[:k]

    def vector_share(self, question: str) -> float:
        """The part of the cosine in the hybrid score of a question: VECTOR_SHARE or less, 0 without an encoder."""
        return VECTOR_SHARE / pieces_per_word(question, self.encoder.tokenizer) if self.encoder else 0.0

    def _query(self, question: str, vector: NDArray[np.float32] | None) -> QuantizedQuery | None:
        """The question's vector as codes; None without an encoder."""
        if vector is None and self.encoder is not None:
            vector = self.encoder.encode_query(question)
        return None if vector is None else quantize_query(vector)

    def _by_meaning(self, ask: Ask, query: QuantizedQuery, k: int) -> list[Hit]:
        found = self.store.search(
            query, k, ask.epoch, filter=ask.filter, per_document=ask.per_document, how=ask.how, watch=ask.watch
        )
        return [replace(hit, vector_score=hit.score) for hit in found]

    def _by_words(self, ask: Ask, query: QuantizedQuery | None) -> list[Hit]:
        """Hits in the order of BM25; with their cosines where the question has a vector."""
        words = self.word_query(ask.question, ask.epoch, ask.watch)
        if words is None:
            return []
        scores = self.store.rank_by_words(
            words, ask.k, ask.epoch, filter=ask.filter, per_document=ask.per_document, watch=ask.watch
        )
        if not scores:
            return []
        if query is None:
            return self.store.word_hits(scores, ask.k, per_document=ask.per_document, watch=ask.watch)
        return self.store.hybrid_hits(
            scores, query, ask.k, ask.epoch, vector_share=0.0, most=1.0, per_document=ask.per_document, watch=ask.watch
        )

    def _by_both(self, ask: Ask, query: QuantizedQuery) -> list[Hit]:
        """The candidates of both searches in the order of the weighted mean of their scores."""
        candidates = max(CANDIDATES, ask.k)
        near = self._by_meaning(ask, query, candidates)
        words = self.word_query(ask.question, ask.epoch, ask.watch)
        if words is None:
            return near[: ask.k]
        scores = dict.fromkeys(((hit.generation, hit.chunk_index) for hit in near), 0.0)
        scores |= self.store.rank_by_words(
            words,
            len(near) + candidates,
            ask.epoch,
            near,
            filter=ask.filter,
            per_document=ask.per_document,
            watch=ask.watch,
        )
        if not scores:
            return []
        share = self.vector_share(ask.question)
        if ask.per_document is None:
            scores = contenders(scores, near, ask.k, share, words.most)
        return self.store.hybrid_hits(
            scores,
            query,
            ask.k,
            ask.epoch,
            vector_share=share,
            most=words.most,
            per_document=ask.per_document,
            watch=ask.watch,
        )

    # Words

    def word_query(self, question: str, epoch: int, watch: Watch = lambda step: None) -> WordQuery | None:
        """What a question asks of the word index, with the rarity that its words have at an epoch.

        None where no chunk holds any of its words.
        """
        last = self._last_words
        if last is not None and last[:2] == (question, epoch):
            return last[2]
        words = self._weighed(question, epoch, watch)
        # One is enough: the modes of an evaluation ask the same question one after the other. One assignment, so that
        # threads may share a retriever.
        self._last_words = question, epoch, words
        return words

    def _weighed(self, question: str, epoch: int, watch: Watch) -> WordQuery | None:
        self.store.check_analyser(ANALYSER, epoch)
        statistics = self.statistics(epoch)
        if not statistics.languages:
            return None
        language, languages = self.question_languages(question, statistics)
        asked = count_words(question_forms(question, language, languages))
        if not asked:
            return None
        together = [code for code in languages if compounds_are_written_together(code) and language in {UNKNOWN, code}]
        parts = {part for word in asked for term in word for code in together for part in possible_parts(term, code)}
        terms = {term for word in asked for term in word} | parts
        frequencies = self.store.term_frequencies(terms, epoch, watch=watch)
        if not frequencies:
            return None
        several = [found for word in asked if len(found := [term for term in word if term in frequencies]) > 1]
        counts = self.store.word_frequencies(several, epoch, watch=watch)
        shared = {found[0]: count for found, count in zip(several, counts, strict=True)}
        foreign: set[str] = set()
        if language in codes_of(statistics.languages):
            own = {form for forms in question_forms(question, language, [language]) for form in forms}
            foreign = {form for forms in asked for form in forms} - own
        return weigh_words(asked, frequencies, statistics, together, shared, foreign)

    def rarities(self, question: str, epoch: int | None = None) -> Rarities:
        """How rare the words of a question are among the chunks of an epoch, the latest by default."""
        at = self.store.epoch() if epoch is None else epoch
        statistics = self.statistics(at)
        if not statistics.languages:
            return Rarities()
        try:
            self.store.check_analyser(ANALYSER, at)
        except StoreMismatch:  # its words are of another analyser: a search by meaning works without them
            return Rarities()
        language = self.question_language(question, statistics)
        terms = {term for word in WORD.findall(visible(question).casefold()) for term in analyse(word, language)}
        return Rarities(language, self.store.term_frequencies(terms, at), statistics.chunk_count)

    def question_language(self, question: str, statistics: TextStatistics) -> str:
        """The one language to analyse a question in: its own where the store holds it, else the store's most common."""
        language, _ = self.question_languages(question, statistics)
        known = codes_of(statistics.languages)
        return language if self.language != "auto" or language in known or not known else known[0]

    def question_languages(self, question: str, statistics: TextStatistics) -> tuple[str, list[str]]:
        """The language of a question, whose stop words it is asked without, and those whose forms its words get.

        These are all that the store holds: names and single words show no language, and a name may stand in any text.
        """
        if self.language != "auto":
            language = choose_language(question, self.language)
            return language, [language]
        known = codes_of(statistics.languages)
        language = detect_language(question, known)
        if not known or UNKNOWN in statistics.languages:
            known.append(UNKNOWN)
        # Texts that have the forms of every language are met by those of the question's own.
        return language, [*known, language] if language and MULTIPLE in statistics.languages else known

    def statistics(self, epoch: int) -> TextStatistics:
        """The statistics of an epoch, which never change: read once."""
        found = self._statistics.get(epoch)
        if found is None:
            found = self.store.text_statistics(epoch)
            self._statistics = {epoch: found}
        return found


def contenders(
    scores: dict[tuple[int, int], float], near: Sequence[Hit], k: int, share: float, most: float
) -> dict[tuple[int, int], float]:
    """Those places whose hybrid score can be among the k highest: nothing is read of the others.

    Of the chunks `near` both scores are known. The cosine of the others is not: a search of cells or in two stages may
    have missed a nearer one. Vectors of length 1 have none above 1; where there are others, none above the nearest.
    """
    cosines = {(hit.generation, hit.chunk_index): hit.score for hit in near}
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


def count_words(words: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    """Words, given by their forms, with how often each is asked; those that share a form are one word.

    >>> count_words([("kiln",), ("kilns", "kiln"), ("hot",)])
    {('kiln', 'kilns'): 2, ('hot',): 1}
    """
    counts: dict[tuple[str, ...], int] = {}
    word_of: dict[str, tuple[str, ...]] = {}
    for forms, times in Counter(words).items():
        met = dict.fromkeys(word_of[form] for form in forms if form in word_of)
        merged = tuple(dict.fromkeys(form for word in (*met, forms) for form in word))
        counts[merged] = times + sum(counts.pop(word) for word in met)
        word_of |= dict.fromkeys(merged, merged)
    return counts


def weigh_words(
    asked: Mapping[tuple[str, ...], int],
    frequencies: Mapping[str, int],
    statistics: TextStatistics,
    together: Sequence[str],
    shared: Mapping[str, int],
    foreign: Collection[str] = (),
) -> WordQuery:
    """The asked words, given by their forms, and the parts of compounds among them, with their weights.

    A word weighs its rarity times its repetitions in the question, as in the sum of BM25 over the words of a question.
    Its rarity is that of a chunk with any of its forms: `shared` counts these by the first form that there is, where
    there are several. Words of the languages `together` may be compounds. `foreign` forms are those of other languages
    than the question's.
    """
    count = statistics.chunk_count
    weights: dict[tuple[str, ...], float] = {}
    for word, times in asked.items():
        found = [term for term in word if term in frequencies]
        holding = shared.get(found[0], frequencies[found[0]]) if found else 0
        weights[word] = times * rarity(holding, count)
    most = sum(weights.values())
    word_of = {term: word for word in asked for term in word}
    for word, times in asked.items():
        parts = (part for term in word for code in together for part in compound_parts(term, frequencies.keys(), code))
        for part in dict.fromkeys(parts):
            whole = word_of.setdefault(part, (part,))
            weight = COMPOUND_WEIGHT * times * rarity(frequencies[part], count)
            weights[whole] = weights.get(whole, 0.0) + weight
    number_of = {word: number for number, word in enumerate(weights, start=1)}
    found = sorted(term for term, word in word_of.items() if term in frequencies and word in weights)
    numbers = tuple(number_of[word_of[term]] for term in found)
    return WordQuery(
        tuple(found),
        tuple(weights[word_of[term]] * (OTHER_LANGUAGE_WEIGHT if term in foreign else 1) for term in found),
        statistics.average_length,
        most,
        numbers if len(set(numbers)) < len(numbers) else (),
    )


def rarity(frequency: int, chunk_count: int) -> float:
    """Inverse document frequency in the form of Lucene, above 0: ln(1 + (N - n + 0.5) / (n + 0.5)).

    >>> round(rarity(1, 10), 4), round(rarity(10, 10), 4)
    (1.992, 0.0465)
    """
    return math.log(1 + (chunk_count - frequency + 0.5) / (frequency + 0.5))


def fuse_ranks(rankings: Sequence[Sequence[str]], weights: Sequence[float]) -> list[str]:
    """Reciprocal rank fusion: names in the order of sum of weight / (60 + rank), of equal ones the first by name.

    The alternative to the weighted mean of scores, kept to be measured against it (benchmarks/hybrid.py).

    >>> fuse_ranks([["a", "b"], ["b", "c"]], [1.0, 1.0])
    ['b', 'a', 'c']
    """
    scores: dict[str, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for rank, name in enumerate(ranking, start=1):
            scores[name] = scores.get(name, 0.0) + weight / (RANK_CONSTANT + rank)
    return sorted(scores, key=lambda name: (-scores[name], name))


def reranked(rerank: Reranker, question: str, hits: Sequence[Hit]) -> list[Hit]:
    """The hits in the order of a reranker, with its scores."""
    scores = rerank.scores(question, [hit.text for hit in hits])
    rated = [replace(hit, score=float(score)) for hit, score in zip(hits, scores, strict=True)]
    return sorted(rated, key=lambda hit: -hit.score)
