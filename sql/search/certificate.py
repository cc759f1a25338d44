"""Scores in, out comes what is proven of their order by float32 vectors, which nobody has any more.

A chunk keeps an upper bound of its rounding error e = |x - x'|, where x is the float32 vector and x' what its codes stand
for, and the length |x'|. The query q is at hand, and q' is what its codes stand for. By Cauchy and Schwarz the float score
x q lies within

    |x q - x' q'|  =  |(x - x') q + x' (q - q')|  <=  e |q| + |x'| |q - q'|

of the score, whatever was rounded, and a little for the arithmetic: the dot product of codes is exact, two float64 products
follow, and lengths are computed in float64 from at most 8,192 squares, so that 2**-35 of every term is far more than is lost
(2**-53 a step); the stored length is the nearest float32, to 2**-24.

A score by words and meaning is share * cosine + (1 - share) * words; words are exact, so its bound is share times that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sql.base.wording import counted
from sql.engine.statements import Statement
from sql.records import fold_query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from numpy.typing import NDArray

    from sql.engine.client import Row
    from sql.records import Hit, QuantizedQuery
    from sql.records.calibration import Calibration
    from sql.search.search import VectorSearch

SLACK = 2**-35
FLOAT32_NEAREST = 2**-22  # more than a float32 differs from what it was rounded from
RIVALS_PER_HIT = 4  # of a search for some chunks of each document: so many are looked at, which may not be all


@dataclass(frozen=True, slots=True)
class QueryBound:
    """What a query brings into the bound of every score: its length, and how far its codes are from it, rounded up."""

    length: float
    error: float

    @classmethod
    def of(cls, vector: NDArray[np.float32], query: QuantizedQuery, calibration: Calibration | None) -> Self:
        """Of a vector (dimensions,) and its codes; shared ranges per dimension, which are folded into them, round again."""
        values, (folded, _) = vector.astype(np.float64), fold_query(query, calibration)
        restored = folded.codes * folded.scale
        if calibration is not None and calibration.per_dimension:
            restored = restored / calibration.scale.astype(np.float64)
        length = float(np.linalg.norm(values)) * (1 + SLACK)
        error = float(np.linalg.norm(values - restored)) * (1 + SLACK) + length * SLACK
        return cls(length, error * (1 + FLOAT32_NEAREST))

    def radius(self, score: float, error: float, norm: float) -> float:
        """How far the float score can lie from a score: what rag_score_radius computes in SQL."""
        if math.isinf(error):
            return math.inf
        return error * self.length + norm * self.error + abs(score) * SLACK


@dataclass(frozen=True, slots=True)
class WordsShare:
    """The part of words in a hybrid score: the BM25 of the best chunks, of which no other chunk has more than `rest`."""

    vector_share: float
    most: float
    scores: Mapping[tuple[int, int], float]
    rest: float

    def mixed(self, vector_score: float, bm25_score: float) -> float:
        """The hybrid score of a chunk by both of its scores."""
        return self.vector_share * vector_score + (1 - self.vector_share) * bm25_score / self.most


@dataclass(frozen=True, slots=True)
class Bounded:
    """A chunk, its document, and between what its score by float32 vectors lies."""

    key: tuple[int, int]  # generation and index
    document_id: UUID
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is proven of k hits.

    `lower` and `upper` of each: its score by float32 vectors lies between them. `among_k` of each: whether it is one of
    the k best by float32 vectors, whatever the others are. `open`: pairs of neighbouring ranks, from 1, across which hits
    may change places; all others are in the order of float32 vectors. `unknown`: how many chunks at the top, hits and
    others, have a rounding error that nobody knows.
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    among_k: tuple[bool, ...]
    open: tuple[tuple[int, int], ...]
    unknown: int = 0

    @property
    def certain(self) -> int:
        """How many of the hits are surely among the k best by float32 vectors."""
        return sum(self.among_k)

    @property
    def outsider(self) -> bool:
        """Whether a chunk that is not among the hits may be among the k best by float32 vectors."""
        return not all(self.among_k)

    def record(self) -> dict[str, Any]:
        """As JSON, which has no infinity: bounds that nobody knows are null."""
        return {
            "certain": self.certain,
            "open": [list(pair) for pair in self.open],
            "outsider": self.outsider,
            "unknown": self.unknown,
            "hits": [self.hit_record(rank) for rank in range(len(self.among_k))],
        }

    def hit_record(self, index: int) -> dict[str, Any]:
        """What is proven of one hit, the first being 0."""
        lower, upper = (value if math.isfinite(value) else None for value in (self.lower[index], self.upper[index]))
        return {"lower": lower, "upper": upper, "certain": self.among_k[index]}

    def sentences(self) -> list[str]:
        """The same for a person."""
        hits, certain = len(self.among_k), self.certain
        if not hits:
            return []
        best = f"among the best {hits} of float32 vectors" if hits > 1 else "the best one of float32 vectors"
        found = [f"All {hits} hits are surely {best}." if hits > 1 else f"The hit is surely {best}."]
        if self.outsider:
            found = [
                f"{certain} of {counted(hits, 'hit')} {'is' if certain == 1 else 'are'} surely {best}: a chunk that is "
                "not shown comes so near to the others that rounding may have changed their places."
            ]
        if self.open:
            pairs = ", ".join(f"{first} and {second}" for first, second in self.open)
            found.append(f"Which comes first is open between the ranks {pairs}.")
        elif hits > 1:
            found.append("Their order is that of float32 vectors.")
        if self.unknown:
            found.append(
                f"The rounding errors of {self.unknown} or more chunks are not known, because an older version did not keep "
                "them: embed the documents again with `python -m ingest --reembed --model M`, M being the store's model."
            )
        return found


def certify_words(scores: Sequence[float]) -> Certificate:
    """The certificate of a search by words alone, given the scores of its hits: no vector has a part in them."""
    return Certificate(tuple(scores), tuple(scores), (True,) * len(scores), ())


def bounded_hit(hit: Hit, row: Row, bound: QueryBound, words: WordsShare | None) -> Bounded:
    """A hit between the bounds of its score; `row` has its inner product, rounding error and length."""
    radius = bound.radius(row["score"], row["error"], row["norm"])
    lower, upper = row["score"] - radius, row["score"] + radius
    if words is not None:
        lower, upper = (words.mixed(end, hit.bm25_score or 0.0) for end in (lower, upper))
    return Bounded((hit.generation, hit.chunk_index), hit.document_id, lower, upper)


def bounded_rival(row: Row) -> Bounded:
    """A chunk of which only the upper bound matters."""
    return Bounded((row["generation"], row["chunk_index"]), row["document_id"], -math.inf, row["upper"])


def certify(
    hits: Sequence[Bounded], rivals: Sequence[Bounded], k: int, per_document: int | None = None, *, all_rivals: bool
) -> Certificate:
    """The certificate of hits in their order, of a search for k chunks, at most some of one document.

    `rivals` are the chunks with the highest upper bounds, highest first, the hits among them or not; `all_rivals` says that
    there are no others. A hit is surely one of the k where fewer than k others may lie above it, counting of each document
    no more than a search returns, and of its own fewer than that.
    """
    return Certificate(
        tuple(hit.lower for hit in hits),
        tuple(hit.upper for hit in hits),
        tuple(is_among(hit, rivals, k, per_document or k, all_rivals=all_rivals) for hit in hits),
        open_ranks(hits),
        len({one.key for one in (*hits, *rivals) if math.isinf(one.upper)}),
    )


def is_among(hit: Bounded, rivals: Sequence[Bounded], k: int, per_document: int, *, all_rivals: bool) -> bool:
    """Whether a hit is one of the k best, whatever the scores within their bounds are."""
    above = [rival for rival in rivals if rival.upper >= hit.lower and rival.key != hit.key]
    if not all_rivals and rivals and rivals[-1].upper >= hit.lower:
        return False  # there may be more
    counts: dict[UUID, int] = {}
    for rival in above:
        counts[rival.document_id] = counts.get(rival.document_id, 0) + 1
    return counts.get(hit.document_id, 0) < per_document and (
        sum(min(count, per_document) for count in counts.values()) < k
    )


def open_ranks(hits: Sequence[Bounded]) -> tuple[tuple[int, int], ...]:
    """Neighbouring ranks, from 1, between which it is open whether each hit up to the first one lies above all others.

    Two that may change places need not be neighbours; then every boundary between them is open.
    """
    least, found = math.inf, []
    highest_after = [-math.inf]
    for hit in reversed(hits):
        highest_after.append(max(highest_after[-1], hit.upper))
    for rank, (hit, highest) in enumerate(zip(hits[:-1], highest_after[-2:0:-1], strict=True), start=1):
        least = min(least, hit.lower)
        if highest >= least:
            found.append((rank, rank + 1))
    return tuple(found)


def rivals_wanted(search: VectorSearch) -> int:
    """How many of the chunks with the highest bounds decide: one more than can be hits."""
    return search.k + 1 if search.per_document is None else RIVALS_PER_HIT * search.k * search.per_document + 1


def rivals_statement(
    search: VectorSearch, values: dict[str, Any], bound: QueryBound, words: WordsShare | None
) -> Statement:
    """What finds the chunks with the highest upper bounds; `values` are those of the query."""
    values = values | {
        "epoch": search.epoch,
        "query_length": bound.length,
        "query_error": bound.error,
        "k": rivals_wanted(search),
    }
    if words is None:
        return Statement("highest_bounds", values, search.condition)
    values |= {
        "generations": [generation for generation, _ in words.scores],
        "indexes": [chunk_index for _, chunk_index in words.scores],
        "scores": list(words.scores.values()),
        "rest": words.rest,
        "vector_share": words.vector_share,
        "most": words.most,
    }
    return Statement("highest_hybrid_bounds", values, search.condition)
