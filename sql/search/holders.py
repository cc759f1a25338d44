"""All postings of some terms in, how rare the terms are and the best chunks by words out: for a store of up to a million chunks.

One statement brings the postings (`postings.sql`), from which both follow: to count in one statement and to rank by the counts
in another takes twice as long, since each reads the postings, and the first looks up what can be seen. Whoever pastes a search
into a client has it in SQL (`term_frequencies.sql`, `search_bm25.sql`), with the same scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sql.search.everything import SCORED_ROW, Postings
from sql.search.words import K1, B

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sql.records import Candidate, WordQuery

HELD_UP_TO = 1_000_000  # chunks: the postings of more of them take longer to bring here than to rank where they are
HELD_UP_TO_OF_SERVER = 300_000  # chunks: half of the questions bring 0.6 MB, which cross a network


@dataclass(frozen=True)
class Holders(Postings):
    """The postings of some terms in chunks that can be seen.

    generations: uint64 (g,), ascending, of these chunks. Of each posting: its term's number from 1, int64 (m,); its chunk's
    place, int64 (m,), the number of the generation among these in the upper 32 bits and the index in the lower; frequency and
    length, float64 (m,).
    """

    terms: Sequence[str]
    generations: NDArray[np.uint64]
    term_numbers: NDArray[np.int64]
    places: NDArray[np.int64]
    frequencies: NDArray[np.float64]
    lengths: NDArray[np.float64]

    @classmethod
    def unpack(
        cls, packed: bytes, terms: Sequence[str], shown: Callable[[NDArray[np.uint64]], NDArray[np.bool_]]
    ) -> Holders:
        """From the rows of `postings.sql` as RowBinary; `shown` tells which of some generations can be seen."""
        rows = np.frombuffer(packed, dtype=SCORED_ROW)
        every = np.sort(rows["generation"])
        every = every[np.flatnonzero(np.diff(every, prepend=np.uint64(0)))]  # none is 0
        is_shown = shown(every)
        numbers = np.searchsorted(every, rows["generation"])
        if not is_shown.all():
            rows, numbers = rows[is_shown[numbers]], (np.cumsum(is_shown) - 1)[numbers[is_shown[numbers]]]
        return cls(
            terms,
            every[is_shown],
            rows["term_number"].astype(np.int64),
            numbers << 32 | rows["chunk_index"].astype(np.int64),
            rows["number"].copy(),
            rows["length"].astype(np.float64),
        )

    def scores(self, query: WordQuery) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The places that hold a word of a question, int64 (n,), ascending, and their BM25 scores, float64 (n,)."""
        weights, words = self.weights_and_words(query)
        held = self.of(np.flatnonzero(words[self.term_numbers]))
        order = np.lexsort((words[held.term_numbers], held.places))
        places, words = held.places[order], words[held.term_numbers][order]
        terms, frequencies, lengths = held.term_numbers[order], held.frequencies[order], held.lengths[order]
        scores = weights[terms] * frequencies / (frequencies + K1 * (1 - B + B * lengths / query.average_length))
        if query.words and len(places):  # a chunk with two forms of a word has it once
            starts = np.flatnonzero(np.diff(places, prepend=-1) | np.diff(words, prepend=-1))
            places, scores = places[starts], np.maximum.reduceat(scores, starts)
        starts = np.flatnonzero(np.diff(places, prepend=-1))
        return places[starts], np.add.reduceat(scores, starts) if len(starts) else scores

    def of(self, rows: NDArray[np.int64]) -> Holders:
        """Some of the postings."""
        if len(rows) == len(self.places):
            return self
        columns = (self.term_numbers[rows], self.places[rows], self.frequencies[rows], self.lengths[rows])
        return Holders(self.terms, self.generations, *columns)

    def best(self, query: WordQuery, k: int, near: Sequence[Candidate] = ()) -> dict[tuple[int, int], float]:
        """The k best chunks, generation and index, by their BM25 scores, those of the chunks `near` first.

        As `search_bm25_large.sql` and `search_bm25_forms_large.sql` find them.
        """
        places, scores = self.scores(query)
        first = np.isin(places, self.numbers([(one.generation, one.chunk_index) for one in near]))
        few = max(0, k - int(first.sum()))
        rest = np.flatnonzero(~first)
        if few < len(rest):
            least = np.partition(scores[rest], -few)[-few] if few else np.inf
            rest = rest[scores[rest] >= least]
        rest = rest[np.lexsort((places[rest], -scores[rest]))][:few]
        rows = np.concatenate([np.flatnonzero(first), rest])
        generations = self.generations[places[rows] >> 32].tolist()
        keys = zip(generations, (places[rows] & 0xFFFFFFFF).tolist(), strict=True)
        return dict(zip(keys, scores[rows].tolist(), strict=True))

    def numbers(self, places: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
        """Places as numbers, of those whose generation is among these."""
        if not places or not len(self.generations):
            return np.empty(0, dtype=np.int64)
        generations = np.array([generation for generation, _ in places], dtype=np.uint64)
        found = np.searchsorted(self.generations, generations).clip(max=len(self.generations) - 1)
        numbers = found << 32 | np.array([index for _, index in places], dtype=np.int64)
        known: NDArray[np.int64] = numbers[self.generations[found] == generations]
        return known
