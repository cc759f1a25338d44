"""The scores of everything in, out comes what is proven of the order of some hits: for a small store, without another look.

It is the certificate of `sql/search/certificate.py`, whose bounds are computed here for all chunks at once. What rounding has
changed in a chunk is read once while the epoch lasts, and the scores are those that the search itself has looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from uuid import UUID

import numpy as np

from sql.base.errors import StoreError
from sql.engine.statements import Statement
from sql.search.certificate import SLACK, Bounded, certify, rivals_wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sql.records import Hit
    from sql.search.certificate import Certificate, QueryBound
    from sql.search.everything import Everything, Visible
    from sql.search.search import VectorSearch

    Floats = NDArray[np.float64]

ROUNDING_ROW = np.dtype([("generation", "<u8"), ("chunk_index", "<u4"), ("error", "<f4"), ("norm", "<f4")])
REPLACED = "a document was replaced and its old chunks are gone: search again"


@dataclass(frozen=True)
class Rounding:
    """Of every chunk that can be seen, by ascending place (int64, as `Visible.places` numbers them): the upper bound of its
    rounding error and the length of what its codes stand for, float64 (n,)."""

    places: NDArray[np.int64]
    errors: Floats
    norms: Floats

    @classmethod
    def unpack(cls, packed: bytes, visible: Visible) -> Self:
        """From the rows of `rounding_errors.sql` as RowBinary."""
        rows = np.frombuffer(packed, dtype=ROUNDING_ROW)
        places = visible.places(rows["generation"], rows["chunk_index"])
        order = np.argsort(places)[np.count_nonzero(places < 0) :]
        return cls(places[order], rows["error"][order].astype(np.float64), rows["norm"][order].astype(np.float64))

    def radii(self, chunks: NDArray[np.int64], scores: Floats, bound: QueryBound) -> Floats:
        """How far the float score of each of some chunks, given by their places, can lie from its score: what
        `QueryBound.radius` says of one. StoreError for a chunk that is gone."""
        rows = rows_of(self.places, chunks)
        errors, norms = self.errors[rows], self.norms[rows]
        with np.errstate(invalid="ignore"):  # infinity times a query of length 0
            radii = errors * bound.length + norms * bound.error + np.abs(scores) * SLACK
        return np.where(np.isinf(errors), np.inf, radii)


@dataclass(frozen=True, slots=True)
class WordsOfAll:
    """The part of words in the scores of everything: BM25 of each chunk, float64 (n,), and the most that there can be."""

    vector_share: float
    most: float
    scores: Floats

    def mixed(self, vector_scores: Floats) -> Floats:
        """The hybrid scores, float64 (n,)."""
        return self.vector_share * vector_scores + (1 - self.vector_share) * self.scores / self.most


@dataclass(frozen=True, slots=True)
class Scored:
    """What a search of a small store has computed: both scores of every chunk that can be seen and passes the filter."""

    everything: Everything
    words: WordsOfAll | None = None  # None where no chunk holds a word of the question, or they have no part in it


def rounding_statement() -> Statement:
    """The rounding errors of all chunks."""
    return Statement("rounding_errors", {})


def certify_among_all(
    hits: Sequence[Hit], scored: Scored, rounding: Rounding, search: VectorSearch, bound: QueryBound
) -> Certificate:
    """The certificate of the hits of a search, which is by vectors or by both."""
    everything, words = scored.everything, scored.words
    radii = rounding.radii(everything.chunks, everything.products, bound)
    lower, upper = everything.products - radii, everything.products + radii
    if words is not None:
        lower, upper = words.mixed(lower), words.mixed(upper)

    def bounded(row: int) -> Bounded:
        return Bounded(everything.place(row), document_of(everything, row), float(lower[row]), float(upper[row]))

    rivals = highest(upper, rivals_wanted(search)).tolist()
    return certify(
        [bounded(row) for row in rows_of_hits(everything, hits)],
        [bounded(row) for row in rivals],
        search.k,
        search.per_document,
        all_rivals=len(rivals) < rivals_wanted(search),
    )


def highest(values: Floats, count: int) -> NDArray[np.int64]:
    """The rows of the highest values, the highest first, of equal ones the first row."""
    rows = np.arange(len(values))
    if count < len(values):
        rows = np.flatnonzero(values >= np.partition(values, -count)[-count])
    return rows[np.lexsort((rows, -values[rows]))][:count]


def rows_of_hits(everything: Everything, hits: Sequence[Hit]) -> list[int]:
    """The rows of hits among everything; StoreError for one that is gone."""
    generations = np.array([hit.generation for hit in hits], dtype=np.uint64)
    indexes = np.array([hit.chunk_index for hit in hits], dtype=np.uint32)
    rows: list[int] = rows_of(everything.chunks, everything.visible.places(generations, indexes)).tolist()
    return rows


def rows_of(known: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of some places is among ascending ones; StoreError where one is not there."""
    rows = np.searchsorted(known, wanted)
    if len(wanted) and (not len(known) or (known[rows.clip(max=len(known) - 1)] != wanted).any()):
        raise StoreError(REPLACED)
    return rows


def document_of(everything: Everything, row: int) -> UUID:
    """The document of a chunk."""
    upper, lower = everything.visible.documents[int(everything.chunks[row]) >> 32].tolist()
    return UUID(int=upper << 64 | lower)
