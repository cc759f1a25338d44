"""Groups of near vectors, so that a search of a large table can leave most of it unread: vectors in, cells out.

Spherical k-means (I. Dhillon and D. Modha, "Concept decompositions for large sparse text data using clustering", 2001):
a centroid is the mean direction of its vectors, a vector belongs to the centroid it points to most. Trained in groups first
and over all of them once, which takes a tenth of the time that thousands of cells take at once; numbered so that near cells
lie together on the disk; drawn with a fixed seed, so that the same vectors give the same cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from sql.engine.native import varint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


CELLS_FROM = 100_000  # rows: fewer are searched in two stages in hardly more time
RETRAIN_GROWTH = 4  # times as many rows as the cells were trained for
RETRAIN_SIMILARITY = 0.9  # of the similarity at that time: what comes in now looks different
CELLS_PER_ROOT = 8  # times the square root of the rows: four times as many cells leave half of the rows unread again
SAMPLE_PER_CELL = 20
MOST_CELLS = 16384  # for 4 million rows and more: their sample of 330,000 vectors takes about a gigabyte of memory
ROUNDS, ROUNDS_OVER_ALL = 10, 1
POWER_ROUNDS = 8  # of the power method: the direction needs to be no more than roughly that of the greatest spread
ROWS_AT_ONCE = 8192
PRODUCTS_AT_ONCE = 1 << 22  # of vectors and centroids: 16 MB
WIDEST_GAP = 2  # cells between two that are read, which are read too
# Of the probes that are wanted: so many cells are read however far they fall behind the nearest, and however close they come.
LEAST_READ, MOST_READ = 0.2, 2.4


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
        """The numbers of about so many cells that a query (dimensions,) points to most, the best first (`count_near`)."""
        # Not `@`, which has BLAS wake other threads for half a millisecond of work, and wait for them where cores are taken.
        products = np.vecdot(self.centroids, query.astype(np.float32))
        order = np.argsort(-products, kind="stable")
        numbers: list[int] = (self.first_cell + order[: count_near(products[order], probes)]).tolist()
        return numbers

    def to_read(self, query: NDArray[np.integer], probes: int) -> list[int]:
        """The numbers of the cells that a search reads, ascending: the nearest ones, and those in narrow gaps between them."""
        return with_gaps(self.nearest(query, probes))

    def have_drifted(self, rows: int, similarity: float) -> bool:
        """Whether a table of so many rows, a sample of which has this similarity to its centroids, needs new ones."""
        outgrown = rows >= RETRAIN_GROWTH * self.trained_rows and len(self.centroids) < MOST_CELLS
        return outgrown or similarity < RETRAIN_SIMILARITY * self.similarity


def cell_count(rows: int) -> int:
    """How many cells so many rows get: eight times the square root, which is still twice that when they have grown fourfold.

    >>> cell_count(100_000), cell_count(1_000_000_000)
    (2528, 16384)
    """
    return min(max(1, CELLS_PER_ROOT * isqrt(rows)), MOST_CELLS)


def count_near(products: NDArray[np.floating], probes: int) -> int:
    """How many cells to read where so many do on average, from the products of all with a query, the highest first.

    Half of the questions have their neighbours in three or four cells, which stand out, and one in ten needs a hundred. So
    those cells are read whose product is at most so far below the highest: their standard deviation times the fourth root of
    the probes. The larger the part of all cells that is wanted, the nearer to that number they are.

    >>> count_near(np.array([9] + 39 * [1]), 5), count_near(np.array([4, 4, 4, 4, 4, 4, 4, 0]), 3)
    (1, 7)
    """
    if probes >= len(products):
        return len(products)
    reach = float(products[0]) - float(products.std()) * probes**0.25
    near = int(np.count_nonzero(products >= reach))
    least = max(LEAST_READ, probes / len(products))
    return min(max(near, math.ceil(least * probes)), max(1, int(MOST_READ * probes)), len(products))


def with_gaps(numbers: Sequence[int]) -> list[int]:
    """Some numbers, ascending, with those that are missing between two of them where they are few.

    Cells that follow each other are read at once: to skip one or two takes as long as to score their chunks, which are near.

    >>> with_gaps([7, 1, 4, 11])
    [1, 2, 3, 4, 5, 6, 7, 11]
    """
    found: list[int] = []
    for number in sorted(numbers):
        if found and number - found[-1] - 1 <= WIDEST_GAP:
            found += range(found[-1] + 1, number)
        found.append(number)
    return found


def train_cells(vectors: NDArray[np.float32], rows: int, before: Cells | None) -> Cells:
    """The next version of the cells for a table of so many rows, from a sample of its vectors, float32 (n, dimensions)."""
    directions = unit_rows(vectors)
    del vectors  # which nobody else may hold
    count = min(cell_count(rows), len(directions))
    random = np.random.default_rng(0)
    groups = lying_together(k_means(directions, draw(directions, isqrt(count), random), ROUNDS))
    owners, _ = nearest_centroids(directions, groups)
    sizes = np.bincount(owners, minlength=len(groups))
    cells = [
        lying_together(k_means(members, draw(members, wanted, random), ROUNDS))
        for group, wanted in enumerate(shares(sizes, count))
        if len(members := directions[owners == group])
    ]
    centroids = k_means(directions, np.concatenate(cells), ROUNDS_OVER_ALL)
    similarity = mean_similarity(directions, centroids)
    version, first_cell = (before.version + 1, before.last_cell + 1) if before else (1, 1)
    return Cells(version, first_cell, centroids, rows, similarity)


def draw(vectors: NDArray[np.float32], count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """So many of some vectors, float32 (count, dimensions), in their order."""
    return vectors[np.sort(random.choice(len(vectors), count, replace=False))]


def shares(sizes: NDArray[np.int64], count: int) -> list[int]:
    """How many of `count` cells each group gets, in proportion to its size; as many as it has members at most.

    >>> shares(np.array([6, 3, 0, 1]), 5)
    [3, 1, 0, 1]
    """
    ends = np.cumsum(sizes) * count // max(1, sizes.sum())
    wanted: list[int] = np.minimum(np.maximum(np.diff(ends, prepend=0), sizes > 0), sizes).tolist()
    return wanted


def k_means(vectors: NDArray[np.float32], centroids: NDArray[np.float32], rounds: int) -> NDArray[np.float32]:
    """Centroids (k, dimensions) after so many rounds, each at the mean direction of the vectors that point to it most."""
    for _ in range(rounds):
        owners, _ = nearest_centroids(vectors, centroids)
        order, sizes = np.argsort(owners, kind="stable"), np.bincount(owners, minlength=len(centroids))
        taken = sizes > 0
        starts = np.concatenate([[0], np.cumsum(sizes[taken])[:-1]])
        centroids = centroids.copy()  # one that nobody chose stays where it is
        centroids[taken] = sums_of_groups(vectors, order, starts)
        centroids = unit_rows(centroids)
    return centroids


def sums_of_groups(
    vectors: NDArray[np.float32], order: NDArray[np.int64], starts: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The sum of each group of vectors, (groups, dimensions): their rows in order of the groups, each from its start on.

    Some groups at a time, for putting all vectors into that order would take the memory of them all once more.
    """
    sums = np.empty((len(starts), vectors.shape[1]), np.float32)
    ends = np.append(starts[1:], len(order))
    first = 0
    while first < len(starts):
        last = max(first + 1, int(np.searchsorted(ends, starts[first] + ROWS_AT_ONCE, "right")))
        rows = order[starts[first] : ends[last - 1]]
        sums[first:last] = np.add.reduceat(vectors[rows], starts[first:last] - starts[first], axis=0)
        first = last
    return sums


def lying_together(centroids: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same centroids in an order in which near ones follow each other: halved again and again where they spread most."""
    if len(centroids) < 3:
        return centroids
    spread = centroids - centroids.mean(axis=0)
    direction = spread[0]
    for _ in range(POWER_ROUNDS):
        direction = unit_rows((spread.T @ (spread @ direction))[None])[0]
    order = np.argsort(spread @ direction, kind="stable")
    middle = len(order) // 2
    return np.concatenate([lying_together(centroids[order[:middle]]), lying_together(centroids[order[middle:]])])


def mean_similarity(vectors: NDArray[np.float32], centroids: NDArray[np.float32]) -> float:
    """The mean cosine of vectors and the centroids nearest to them."""
    return float(nearest_centroids(unit_rows(vectors), centroids)[1].mean())


def nearest_centroids(
    vectors: NDArray[np.float32], centroids: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each vector the number of the centroid it points to most, and the inner product with it, both (n,)."""
    owners = np.empty(len(vectors), dtype=np.int64)
    products = np.empty(len(vectors), dtype=np.float32)
    step = max(1, PRODUCTS_AT_ONCE // len(centroids))
    for first in range(0, len(vectors), step):
        part = slice(first, first + step)
        near = vectors[part] @ centroids.T
        owners[part] = near.argmax(axis=1)
        products[part] = near.max(axis=1)
        del near  # before the next ones are made beside it
    return owners, products


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to length 1; a row of zeros stays."""
    units = np.empty(vectors.shape, np.float32)
    for first in range(0, len(vectors), ROWS_AT_ONCE):  # so that no more than the result is as large as the vectors
        some = vectors[first : first + ROWS_AT_ONCE]
        scale = np.abs(some).max(axis=1, keepdims=True)
        scaled = some / np.where(scale == 0, 1, scale)  # first: the square of a large float32 would be infinite
        lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
        units[first : first + ROWS_AT_ONCE] = scaled / np.where(lengths == 0, 1, lengths)
    return units


def cells_columns(cells: Cells) -> dict[str, NDArray[Any]]:
    """One version of the cells as the columns of an insert: arrays, for lists of numbers take 40 MB of the driver's pandas."""
    count = len(cells.centroids)
    return {
        "version": np.full(count, cells.version, np.uint32),
        "cell": np.arange(cells.first_cell, cells.last_cell + 1, dtype=np.uint32),
        "first_cell": np.full(count, cells.first_cell, np.uint32),
        "last_cell": np.full(count, cells.last_cell, np.uint32),
        "centroid": cells.centroids,
        "trained_rows": np.full(count, cells.trained_rows, np.uint64),
        "similarity": np.full(count, cells.similarity, np.float32),
    }


def read_cells(packed: bytes) -> Cells | None:
    """The newest version of the cells from the rows of `cells.sql` as RowBinary, None where there is none."""
    if not packed:
        return None
    rows = np.frombuffer(packed, dtype=cells_row(int.from_bytes(packed[:2], "little")))
    first, centroids = rows[0], np.ascontiguousarray(rows["centroid"])
    trained_rows, similarity = int(first["trained_rows"]), float(first["similarity"])
    return Cells(int(first["version"]), int(first["first_cell"]), centroids, trained_rows, similarity)


def cells_row(dimensions: int) -> np.dtype[np.void]:
    """One row of `cells.sql` as RowBinary; an array is its length (LEB128) and its numbers."""
    return np.dtype(
        [
            ("dimensions", "<u2"),
            ("version", "<u4"),
            ("first_cell", "<u4"),
            ("trained_rows", "<u8"),
            ("similarity", "<f4"),
            ("length", f"V{len(varint(dimensions))}"),
            ("centroid", "<f4", (dimensions,)),
        ]
    )
