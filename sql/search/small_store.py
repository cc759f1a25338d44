"""What searches of a small store look at, at one epoch: the chunks that can be seen, their scores, and postings.

Searches that come together share a statement: of the words that any of them asks for, and of the chunks that pass their filter
where they have the same one. What each gets is what it gets alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sql.search.everything import (
    SCORED_ROW,
    VISIBLE_ROW,
    Everything,
    Visible,
    all_terms,
    everything_statement,
    postings_statement,
    together_row,
    together_statement,
    visible_statement,
)
from sql.search.search import Runner
from sql.search.together import Apart, Together, heard_by_all

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from sql.engine.statements import Condition
    from sql.search.search import Searcher, Step, VectorSearch

    Watch = Callable[[Step], None]


MOST_BYTES = 64 << 20  # that the engine holds of queries and codes in one statement, besides what it always does
BYTES_PER_NUMBER = 3  # of a vector and a query: codes are int8, queries int16


@dataclass(frozen=True, slots=True)
class Look:
    """What one search asks of the postings: its terms; and of the vectors, where it has any."""

    terms: Sequence[str]
    watch: Watch
    search: VectorSearch | None = None


@dataclass(eq=False)
class SmallStore:
    """Reads everything at the epoch of a searcher. Safe from any thread."""

    searcher: Searcher
    _visible: Visible | None = None

    def __post_init__(self) -> None:
        self._postings = Together(self._read_postings)
        self._scores = Together(self._read_scores)

    def visible(self, watch: Watch) -> Visible:
        """The generations that are published; of a large store not all of them. Read once."""
        visible = self._visible
        if visible is None:
            statement = visible_statement(self.searcher.epoch)
            packed = self._run(watch).packed("visible", statement, VISIBLE_ROW.itemsize)
            visible = self._visible = Visible.unpack(packed)
        return visible

    def postings(self, terms: Sequence[str], watch: Watch) -> Everything:
        """All postings of some terms alone, and no filter: the chunks are those that hold one of them, their products 0."""
        return self._postings.ask(None, Look(terms, watch)).of_holders()

    def everything(self, search: VectorSearch, terms: Sequence[str], watch: Watch) -> Everything:
        """The inner products of all chunks that pass the filter of a search, and all postings of some terms."""
        return self._scores.ask(key_of(search.condition), Look(terms, watch, search))

    def _read_postings(self, looks: Sequence[Look]) -> list[Everything]:
        terms, watch = all_terms([look.terms for look in looks]), heard_by_all(look.watch for look in looks)
        packed = self._run(watch).packed("words", postings_statement(terms), SCORED_ROW.itemsize)
        whole = Everything.unpack(packed, self.visible(watch), terms)
        return [whole.of_terms(look.terms) for look in looks]

    def _read_scores(self, looks: Sequence[Look]) -> list[Everything]:
        """Those of some searches with one filter, as many in a statement as there is memory for."""
        searches = [look.search for look in looks if look.search is not None]
        if len(looks) == 1:
            return [self._scored(looks[0], searches[0])]
        most = most_together(
            self.visible(heard_by_all(look.watch for look in looks)).chunk_count, len(searches[0].query.codes)
        )
        if most < 2:
            raise Apart
        found = []
        for first in range(0, len(looks), most):
            part = slice(first, first + most)
            found += self._scored_together(looks[part], searches[part])
        return found

    def _scored(self, look: Look, search: VectorSearch) -> Everything:
        statement = everything_statement(search, look.terms)
        packed = self._run(look.watch).packed("search", statement, SCORED_ROW.itemsize)
        return Everything.unpack(packed, self.visible(look.watch), look.terms)

    def _scored_together(self, looks: Sequence[Look], searches: Sequence[VectorSearch]) -> list[Everything]:
        asked, watch = [look.terms for look in looks], heard_by_all(look.watch for look in looks)
        statement, length = together_statement(searches, asked), together_row(len(looks)).itemsize
        return Everything.unpack_together(
            self._run(watch).packed("search", statement, length), self.visible(watch), asked
        )

    def _run(self, watch: Watch) -> Runner:
        return Runner(self.searcher.client, watch)


def most_together(chunks: int, dimensions: int) -> int:
    """How many queries fit into one statement: for each chunk the engine holds every query and copies of the codes.

    >>> [most_together(chunks, 384) for chunks in (800, 5_000, 20_000)]
    [72, 11, 2]
    """
    return MOST_BYTES // max(1, chunks * dimensions * BYTES_PER_NUMBER)


def key_of(condition: Condition | None) -> Hashable:
    """What two filters have in common that let the same chunks pass; None for none."""
    return condition and (condition.text, repr(sorted(condition.values.items())))
