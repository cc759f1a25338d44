"""A search that looks at everything: all chunks of a small store and all postings of some terms in, the best places out.

One statement brings the inner product of every chunk and the postings of the words that are asked (`score_everything.sql`),
so that nothing has to be guessed before both scores are known, and the rarity of the words needs no statement of its own.
What is published at an epoch is read once while the epoch lasts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sql.engine.native import varint
from sql.engine.statements import Statement
from sql.search.search import code_values
from sql.search.words import K1, B

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sql.records import WordQuery
    from sql.search.search import VectorSearch

EVERYTHING_UP_TO = 20_000  # chunks: the rows of more of them take longer to bring here than to rank where they are
VISIBLE_ROW = np.dtype([("generation", "<u8"), ("upper", "<u8"), ("lower", "<u8"), ("chunk_count", "<u4")])
SCORED_ROW = np.dtype(
    [("term_number", "<u4"), ("generation", "<u8"), ("chunk_index", "<u4"), ("number", "<f8"), ("length", "<u4")]
)


@dataclass(frozen=True)
class Visible:
    """The generations that are published at an epoch, ascending: uint64 (n,); and their documents.

    documents: uint64 (n, 2), the upper and the lower half of each UUID. Complete only where `is_small`.
    """

    generations: NDArray[np.uint64]
    documents: NDArray[np.uint64]
    chunk_count: int

    @classmethod
    def unpack(cls, packed: bytes) -> Visible:
        """From the rows of `visible_generations.sql` as RowBinary."""
        rows = np.frombuffer(packed, dtype=VISIBLE_ROW)
        rows = rows[np.argsort(rows["generation"])]
        documents = np.stack([rows["upper"], rows["lower"]], axis=1)
        return cls(rows["generation"].copy(), documents, int(rows["chunk_count"].sum(dtype=np.int64)))

    @property
    def is_small(self) -> bool:
        """Whether everything that can be seen may be looked at in each search."""
        return max(len(self.generations), self.chunk_count) <= EVERYTHING_UP_TO

    def places(self, generations: NDArray[np.uint64], indexes: NDArray[np.uint32]) -> NDArray[np.int64]:
        """One number for each place, int64 (n,), in the order of generation and index; -1 where it cannot be seen."""
        if not len(self.generations):
            return np.full(len(generations), -1)
        found = np.searchsorted(self.generations, generations).clip(max=len(self.generations) - 1)
        return np.where(self.generations[found] == generations, found << 32 | indexes.astype(np.int64), -1)


class Postings:
    """Postings of some terms. Of each posting: its term's number from 1, int64 (m,), and its chunk's place, int64 (m,)."""

    terms: Sequence[str]
    term_numbers: NDArray[np.int64]
    places: NDArray[np.int64]

    @cached_property
    def term_counts(self) -> dict[str, int]:
        """How many chunks that can be seen hold each of the terms; 0 where none does."""
        counts = np.bincount(self.term_numbers, minlength=len(self.terms) + 1)[1:].tolist()
        return dict(zip(self.terms, counts, strict=True))

    def word_count(self, forms: Sequence[str]) -> int:
        """How many chunks that can be seen hold any of some terms."""
        numbers = [self.terms.index(form) + 1 for form in forms]
        return len(np.unique(self.places[np.isin(self.term_numbers, numbers)]))

    def weights_and_words(self, query: WordQuery) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """By the number of a term, 0 for those not asked for: its weight, float64, and the number of its word from 1, int64."""
        weights, words = np.zeros(len(self.terms) + 1), np.zeros(len(self.terms) + 1, dtype=np.int64)
        numbers = [self.terms.index(term) + 1 for term in query.terms]
        weights[numbers], words[numbers] = query.weights, query.words or range(1, len(numbers) + 1)
        return weights, words


@dataclass(frozen=True)
class Everything(Postings):
    """The chunks that can be seen and pass the filter, with their inner products, and the postings of some terms.

    chunks: int64 (n,), places as `Visible.places` numbers them, ascending; products: float64 (n,). Of each posting, whether
    or not its chunk passes the filter: its term's number from 1, int64 (m,), its chunk's place, int64 (m,), frequency and
    length, float64 (m,).
    """

    visible: Visible
    terms: Sequence[str]
    chunks: NDArray[np.int64]
    products: NDArray[np.float64]
    term_numbers: NDArray[np.int64]
    places: NDArray[np.int64]
    frequencies: NDArray[np.float64]
    lengths: NDArray[np.float64]

    @classmethod
    def unpack(cls, packed: bytes, visible: Visible, terms: Sequence[str]) -> Everything:
        """From the rows of `score_everything.sql` as RowBinary; those that cannot be seen are left out."""
        rows = np.frombuffer(packed, dtype=SCORED_ROW)
        return cls._of_rows(rows, rows["number"][:, None], visible, [terms])[0]

    @classmethod
    def unpack_together(cls, packed: bytes, visible: Visible, asked: Sequence[Sequence[str]]) -> list[Everything]:
        """That of each of several queries from the rows of `score_everything_together.sql`; `asked` are the terms of each."""
        rows = np.frombuffer(packed, dtype=together_row(len(asked)))
        return cls._of_rows(rows, rows["numbers"], visible, asked)

    @classmethod
    def _of_rows(
        cls, rows: NDArray[np.void], numbers: NDArray[np.float64], visible: Visible, asked: Sequence[Sequence[str]]
    ) -> list[Everything]:
        """From rows and their numbers, float64 (rows, queries)."""
        places = visible.places(rows["generation"], rows["chunk_index"])
        is_chunk = rows["term_number"] == 0
        chunks, postings = np.flatnonzero(is_chunk & (places >= 0)), np.flatnonzero(~is_chunk & (places >= 0))
        chunks = chunks[np.argsort(places[chunks])]
        columns = (
            rows["term_number"][postings].astype(np.int64),
            places[postings],
            numbers[postings, 0],
            rows["length"][postings].astype(np.float64),
        )
        terms, own_places = all_terms(asked), places[chunks]
        return [
            cls(visible, terms, own_places, numbers[chunks, number], *columns).of_terms(own)
            for number, own in enumerate(asked)
        ]

    def of_terms(self, terms: Sequence[str]) -> Everything:
        """The same with the postings of some of the terms alone, as it would be if only these had been asked for."""
        if terms == self.terms:
            return self
        number_of = {term: number for number, term in enumerate(terms, start=1)}
        numbers = np.array([0, *(number_of.get(term, 0) for term in self.terms)], dtype=np.int64)[self.term_numbers]
        own = np.flatnonzero(numbers)
        columns = (self.places[own], self.frequencies[own], self.lengths[own])
        return Everything(self.visible, terms, self.chunks, self.products, numbers[own], *columns)

    def of_holders(self) -> Everything:
        """The same with the chunks that hold one of the terms alone, whose products are 0."""
        chunks = np.unique(self.places)
        return replace(self, chunks=chunks, products=np.zeros(len(chunks)))

    def word_scores(self, query: WordQuery) -> NDArray[np.float64]:
        """The BM25 score of each chunk, float64 (n,), as `search_bm25.sql` and `search_bm25_forms.sql` compute it."""
        weights, words = self.weights_and_words(query)
        rows = np.searchsorted(self.chunks, self.places)
        found = (rows < len(self.chunks)) & (words[self.term_numbers] > 0)
        found[found] = self.chunks[rows[found]] == self.places[found]
        terms, rows = self.term_numbers[found], rows[found]
        frequencies, lengths = self.frequencies[found], self.lengths[found]
        scores = weights[terms] * frequencies / (frequencies + K1 * (1 - B + B * lengths / query.average_length))
        rows, scores = best_of_each(rows, words[terms], scores)
        return np.bincount(rows, scores, minlength=len(self.chunks)).astype(np.float64)

    def best(self, scores: NDArray[np.float64], k: int, per_document: int | None = None) -> NDArray[np.int64]:
        """The rows of the k best chunks by some scores, (n,), int64; of equal ones the first by document and index.

        At most `per_document` of one document.
        """
        rows = np.arange(len(scores))
        if per_document is None and k < len(scores):
            rows = np.flatnonzero(scores >= np.partition(scores, -k)[-k])
        generations = self.chunks[rows] >> 32
        upper, lower = self.visible.documents[generations].T
        # The engine orders UUIDs by their lower half first.
        order = rows[np.lexsort((self.chunks[rows], upper, lower, -scores[rows]))]
        return (order if per_document is None else first_of_each(order, self.chunks >> 32, per_document))[:k]

    def place(self, row: int) -> tuple[int, int]:
        """Generation and index of a chunk."""
        number = int(self.chunks[row])
        return int(self.visible.generations[number >> 32]), number & 0xFFFFFFFF


def best_of_each(
    rows: NDArray[np.int64], words: NDArray[np.int64], scores: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Of several scores of a word in a row the highest, as rows and scores: a chunk with two forms of it has it once."""
    order = np.lexsort((words, rows))
    rows, words, scores = rows[order], words[order], scores[order]
    starts = np.flatnonzero(np.diff(rows, prepend=-1) | np.diff(words, prepend=-1))
    return rows[starts], np.maximum.reduceat(scores, starts) if len(starts) else scores


def first_of_each(order: NDArray[np.int64], documents: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """The rows in their order, of each document the first ones only."""
    by_document = np.argsort(documents[order], kind="stable")
    sorted_documents = documents[order][by_document]
    starts = np.searchsorted(sorted_documents, sorted_documents)  # where each one's document begins
    return order[np.sort(by_document[np.arange(len(order)) - starts < most])]


def all_terms(asked: Sequence[Sequence[str]]) -> list[str]:
    """The terms that any of some searches asks for; of one in its own order."""
    return list(dict.fromkeys(term for terms in asked for term in terms))


def together_row(queries: int) -> np.dtype[np.void]:
    """One row for so many queries: an array is its length (LEB128) and its numbers."""
    return np.dtype(
        [
            ("term_number", "<u4"),
            ("generation", "<u8"),
            ("chunk_index", "<u4"),
            ("count", f"V{len(varint(queries))}"),
            ("numbers", "<f8", (queries,)),
            ("length", "<u4"),
        ]
    )


def visible_statement(epoch: int) -> Statement:
    """What is published at an epoch; of a large store not everything."""
    return Statement("visible_generations", {"epoch": epoch, "limit": EVERYTHING_UP_TO + 1})


def everything_statement(search: VectorSearch, terms: Sequence[str]) -> Statement:
    """The products of all chunks that pass the filter of a search, and the postings of some terms."""
    values: dict[str, Any] = code_values(search.query, search.calibration) | {"terms": list(terms)}
    return Statement("score_everything", values, search.condition)


def postings_statement(terms: Sequence[str]) -> Statement:
    """The postings of some terms alone."""
    return Statement("postings", {"terms": list(terms)})


def together_statement(searches: Sequence[VectorSearch], asked: Sequence[Sequence[str]]) -> Statement:
    """The same for several searches with one filter, and the terms of each: what they get is in the order of `all_terms`."""
    each = [code_values(search.query, search.calibration) for search in searches]
    values: dict[str, Any] = {
        "queries": [values["query"] for values in each],
        "query_sums": [values["query_sum"] for values in each],
        "query_offsets": [values["query_offset"] for values in each],
        "query_scales": [values["query_scale"] for values in each],
        "terms": all_terms(asked),
    }
    return Statement("score_everything_together", values, searches[0].condition)


def hits_statement(places: Sequence[tuple[int, int]]) -> Statement:
    """What is shown of the chunks at some places."""
    generations, indexes = zip(*places, strict=True)
    return Statement("hits", {"generations": list(generations), "indexes": list(indexes)})
