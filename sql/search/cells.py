"""Groups of near vectors, so that a search of a large table can leave most of it unread: vectors in, cells out.

Spherical k-means (I. Dhillon and D. Modha, "Concept decompositions for large sparse text data using clustering", 2001):
a centroid is the mean direction of its vectors, a vector belongs to the centroid it points to most. Drawn with a fixed
seed, so that the same vectors give the same cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sql.engine.client import Row

CELLS_FROM = 100_000  # rows: fewer are searched in two stages in hardly more time
RETRAIN_GROWTH = 4  # times as many rows as the cells were trained for
RETRAIN_SIMILARITY = 0.9  # of the similarity at that time: what comes in now looks different
SAMPLE_PER_CELL = 40
MOST_CELLS = 8192  # for 17 million rows and more: their sample of 330,000 vectors takes about a gigabyte of memory
ROUNDS = 10
ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class Cells:
    """One version of the cells; centroids: float32 (cells, dimensions), of length 1; cell n is `first_cell + n`."""

    version: int
    first_cell: int
    centroids: NDArray[np.float32]
    trained_rows: int
    similarity: float

    @property
    def last_cell(self) -> int:
        """The highest number of a cell."""
        return self.first_cell + len(self.centroids) - 1

    def numbers(self, vectors: NDArray[np.float32]) -> NDArray[np.int64]:
        """The cell of each vector, int64 (n,)."""
        return self.first_cell + nearest_centroids(vectors, self.centroids)[0]

    def nearest(self, query: NDArray[np.integer], probes: int) -> list[int]:
        """The numbers of so many cells that a query (dimensions,) points to most, the best first."""
        products = self.centroids @ query.astype(np.float32)
        numbers: list[int] = (self.first_cell + np.argsort(-products, kind="stable")[:probes]).tolist()
        return numbers

    def have_drifted(self, rows: int, similarity: float) -> bool:
        """Whether a table of so many rows, a sample of which has this similarity to its centroids, needs new ones."""
        outgrown = rows >= RETRAIN_GROWTH * self.trained_rows and len(self.centroids) < MOST_CELLS
        return outgrown or similarity < RETRAIN_SIMILARITY * self.similarity


def cell_count(rows: int) -> int:
    """How many cells so many rows get: twice the square root, which is right when they have grown fourfold.

    >>> cell_count(100_000), cell_count(1_000_000_000)
    (632, 8192)
    """
    return min(max(1, 2 * isqrt(rows)), MOST_CELLS)


def train_cells(vectors: NDArray[np.float32], rows: int, before: Cells | None) -> Cells:
    """The next version of the cells for a table of so many rows, from a sample of its vectors, float32 (n, dimensions)."""
    directions = unit_rows(vectors)
    count = min(cell_count(rows), len(directions))
    random = np.random.default_rng(0)
    centroids = directions[np.sort(random.choice(len(directions), count, replace=False))]
    for _ in range(ROUNDS):
        owners, _ = nearest_centroids(directions, centroids)
        order, sizes = np.argsort(owners, kind="stable"), np.bincount(owners, minlength=count)
        taken = sizes > 0
        starts = np.concatenate([[0], np.cumsum(sizes[taken])[:-1]])
        centroids = centroids.copy()  # one that nobody chose stays where it is
        centroids[taken] = np.add.reduceat(directions[order], starts, axis=0)
        centroids = unit_rows(centroids)
    similarity = mean_similarity(directions, centroids)
    version, first_cell = (before.version + 1, before.last_cell + 1) if before else (1, 1)
    return Cells(version, first_cell, centroids, rows, similarity)


def mean_similarity(vectors: NDArray[np.float32], centroids: NDArray[np.float32]) -> float:
    """The mean cosine of vectors and the centroids nearest to them."""
    return float(nearest_centroids(unit_rows(vectors), centroids)[1].mean())


def nearest_centroids(
    vectors: NDArray[np.float32], centroids: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each vector the number of the centroid it points to most, and the inner product with it, both (n,)."""
    owners = np.empty(len(vectors), dtype=np.int64)
    products = np.empty(len(vectors), dtype=np.float32)
    for first in range(0, len(vectors), ROWS_AT_ONCE):
        part = slice(first, first + ROWS_AT_ONCE)
        near = vectors[part] @ centroids.T
        owners[part] = near.argmax(axis=1)
        products[part] = near.max(axis=1)
    return owners, products


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to length 1; a row of zeros stays."""
    scale = np.abs(vectors).max(axis=1, keepdims=True)
    scaled = vectors / np.where(scale == 0, 1, scale)  # first: the square of a large float32 would be infinite
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(lengths == 0, 1, lengths), dtype=np.float32)


def cells_columns(cells: Cells) -> dict[str, list[Any]]:
    """One version of the cells as the columns of an insert."""
    count = len(cells.centroids)
    return {
        "version": [cells.version] * count,
        "cell": list(range(cells.first_cell, cells.last_cell + 1)),
        "first_cell": [cells.first_cell] * count,
        "last_cell": [cells.last_cell] * count,
        "centroid": cells.centroids.tolist(),
        "trained_rows": [cells.trained_rows] * count,
        "similarity": [cells.similarity] * count,
    }


def read_cells(rows: Sequence[Row]) -> Cells | None:
    """The newest version of the cells, None where there is none."""
    if not rows:
        return None
    first = rows[0]
    centroids = np.array([row["centroid"] for row in rows], dtype=np.float32)
    return Cells(first["version"], first["first_cell"], centroids, first["trained_rows"], first["similarity"])
