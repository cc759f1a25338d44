"""Found vectors in, a few of them out that are near the query and unlike each other: maximal marginal relevance.

J. Carbonell and J. Goldstein, "The use of MMR, diversity-based reranking for reordering documents and producing
summaries", SIGIR 1998: of what is left, take what has the highest

    weight * similarity to the query - (1 - weight) * greatest similarity to anything taken before

Similarity is the cosine, computed from the stored int8 codes: their integer products are exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rag.int8.quantization import scores
from sql.base.errors import RagError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sql.records import QuantizedQuery, QuantizedVectors

DEFAULT_WEIGHT = 0.5


def choose_diverse(
    relevance: NDArray[np.float64], vectors: QuantizedVectors, k: int, weight: float = DEFAULT_WEIGHT
) -> list[int]:
    """The rows of up to k vectors in the order they are taken; the first is the nearest, of equals the first counts.

    relevance: float64 (n,), the cosine of the query with each vector. `weight` 1 is the order by relevance alone, 0
    cares only for being unlike what was taken. Raises RagError for a weight outside 0..1 or a k below 1.
    """
    if not 0 <= weight <= 1:
        raise RagError(f"the weight of relevance is {weight}: it must be within 0..1")
    if k < 1:
        raise RagError(f"k is {k}: it must be at least 1")
    if len(relevance) != len(vectors):
        raise ValueError(f"{len(vectors)} vectors came with {len(relevance)} relevances")
    directions, lengths = scaled_steps(vectors)
    nearest_taken = np.full(len(vectors), -np.inf)
    left = np.ones(len(vectors), dtype=bool)
    chosen: list[int] = []
    while len(chosen) < min(k, len(vectors)):
        merit = relevance if not chosen else weight * relevance - (1 - weight) * nearest_taken
        row = int(np.where(left, merit, -np.inf).argmax())
        chosen.append(row)
        left[row] = False
        nearest_taken = np.maximum(nearest_taken, divide(directions @ directions[row], lengths * lengths[row]))
    return chosen


def query_cosines(query: QuantizedQuery, vectors: QuantizedVectors) -> NDArray[np.float64]:
    """Cosines of a query with vectors, float64 (n,); 0 where either has no direction."""
    length = float(np.linalg.norm(query.codes.astype(np.float64))) * query.scale
    _, lengths = scaled_steps(vectors)
    widths = vectors.scale.astype(np.float64)  # 1 where the steps of each dimension have a width of their own
    return divide(scores(query, vectors), lengths * widths * length)


def scaled_steps(vectors: QuantizedVectors) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The directions of vectors, float64 (n, dimensions), and the lengths of these, (n,).

    Where each vector has one step width it is left out: steps are whole numbers, and so are their products, which are
    below 8,192 * 255 * 255 < 2**53.
    """
    steps = vectors.steps().astype(np.float64)
    directions = steps if vectors.dimension_ranges is None else steps * vectors.step_widths()
    return directions, np.sqrt(np.einsum("ij,ij->i", directions, directions))


def divide(products: NDArray[np.float64], lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosines from inner products and products of lengths, float64 of their shape; 0 for a vector of zeros."""
    return np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
