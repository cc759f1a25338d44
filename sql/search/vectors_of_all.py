"""The vectors of a small store, kept while an epoch lasts: codes in, the score of every chunk out.

What an epoch shows does not change, so a process that asks one question after another need not have the same codes read and
scored in the engine each time: of a search of a small store that is half, nearly all of it planning. The scores are those of
the statements to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from sql.engine.packed import unpack_vectors, vectors_row
from sql.engine.statements import Statement
from sql.records import fold_query
from sql.search.everything import EVERYTHING_UP_TO
from sql.search.search import Runner

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sql.records import QuantizedQuery
    from sql.records.calibration import Calibration
    from sql.search.everything import Visible
    from sql.search.search import Searcher, Step

# Searches at an epoch by statements alone before vectors are kept: reading them takes as long as three or four of these.
SEARCHES_BEFORE = 4
MOST_CODES = 1 << 25  # bytes of codes that are kept: 20,000 vectors of 1,536 numbers
ROWS_AT_ONCE = 256  # as float64 they fit into a processor's own memory


@dataclass(frozen=True)
class VectorsOfAll:
    """Of every chunk that can be seen, by ascending place (int64 (n,), as `Visible.places` numbers them): its codes, int8
    (n, dimensions), their scale, float64 (n,), and their zero-point, int64 (n,)."""

    places: NDArray[np.int64]
    codes: NDArray[np.int8]
    scales: NDArray[np.float64]
    zero_points: NDArray[np.int64]

    @classmethod
    def unpack(cls, packed: bytes, dimensions: int, visible: Visible) -> Self:
        """From the rows of `vectors_of_all.sql` as RowBinary; those that cannot be seen are left out."""
        generations, indexes, vectors = unpack_vectors(packed, dimensions, None)
        places = visible.places(generations, indexes)
        order = np.argsort(places)[np.count_nonzero(places < 0) :]
        scales, zero_points = vectors.scale[order].astype(np.float64), vectors.zero_point[order].astype(np.int64)
        return cls(places[order], vectors.codes[order], scales, zero_points)

    def products(self, query: QuantizedQuery, calibration: Calibration | None) -> NDArray[np.float64]:
        """The inner product of each vector and a query, float64 (n,): what `score_everything.sql` computes."""
        folded, offset = fold_query(query, calibration)
        codes = folded.codes.astype(np.float64)
        # Whole numbers far below 2^53, which float64 adds up exactly in any order.
        sums = [
            np.vecdot(self.codes[first : first + ROWS_AT_ONCE].astype(np.float64), codes)
            for first in range(0, len(self.codes), ROWS_AT_ONCE)
        ]
        dots = np.concatenate([np.empty(0), *sums]).astype(np.int64)
        query_sum = int(folded.codes.sum(dtype=np.int64))
        centred = dots - self.zero_points * query_sum + offset
        return np.asarray(self.scales * centred * float(folded.scale))


@dataclass
class KeptVectors:
    """The vectors of a small store at one epoch, once enough searches have asked for them. Safe from any thread."""

    _vectors: VectorsOfAll | None = None
    _asked: int = 0

    def vectors(
        self, searcher: Searcher, dimensions: int, visible: Callable[[], Visible], watch: Callable[[Step], None]
    ) -> VectorsOfAll | None:
        """The vectors of all chunks; None for the first searches, and in a large store."""
        self._asked += 1
        if self._vectors is None and self._asked > SEARCHES_BEFORE:
            run = Runner(searcher.client, watch)
            if may_be_kept(searcher.table(run)["row_count"], dimensions) and visible().is_small:
                length = vectors_row(dimensions).itemsize
                packed = run.packed("vectors", Statement("vectors_of_all"), length)
                self._vectors = VectorsOfAll.unpack(packed, dimensions, visible())
        return self._vectors


def may_be_kept(rows: int, dimensions: int) -> bool:
    """Whether a table's vectors are few enough, those of old versions and drafts among them."""
    return rows <= EVERYTHING_UP_TO and rows * dimensions <= MOST_CODES
