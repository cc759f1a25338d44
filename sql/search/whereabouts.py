"""Places of chunks in, the cells in which they lie out: a large table is in the order of its cells and found by nothing else.

What ranks by words knows generation and index of a chunk. To look up a hundred of them by these alone, the engine reads the keys
of all chunks, which takes longer than to score them. A chunk never changes its cell, since a document that is moved gets a fresh
generation: so where chunks lie is read once, and later where the new ones do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MOST_KNOWN = 2_000_000  # chunks: 12 bytes each
CELL_ROW = np.dtype([("generation", "<u8"), ("chunk_index", "<u4"), ("cell", "<u4")])


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """generations: uint64 (g,), ascending; keys: int64 (n,), ascending, the number of a chunk's generation among these in the
    upper 32 bits and its index in the lower; cells: uint32 (n,), the cell of each.
    """

    generations: NDArray[np.uint64]
    keys: NDArray[np.int64]
    cells: NDArray[np.uint32]

    @classmethod
    def nowhere(cls) -> Whereabouts:
        """Nothing known yet."""
        return cls(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.uint32))

    def find(self, places: Sequence[tuple[int, int]]) -> tuple[list[int], int | None]:
        """The cell of the chunk at each place, generation and index; and the lowest generation of those that are not known."""
        generations = np.array([generation for generation, _ in places], dtype=np.uint64)
        if not len(self.keys) or not len(places):
            return [], min((generation for generation, _ in places), default=None)
        numbers = np.searchsorted(self.generations, generations).clip(max=len(self.generations) - 1)
        keys = numbers << 32 | np.array([index for _, index in places], dtype=np.int64)
        found = np.searchsorted(self.keys, keys).clip(max=len(self.keys) - 1)
        missing = generations[(self.generations[numbers] != generations) | (self.keys[found] != keys)]
        return self.cells[found].tolist(), int(missing.min()) if len(missing) else None

    def read_from(self, first: int, packed: bytes) -> Whereabouts:
        """The same up to a generation, and from there on what `cells_of_chunks.sql` has returned, as RowBinary."""
        kept = int(np.searchsorted(self.generations, np.uint64(first)))
        known = int(np.searchsorted(self.keys, kept << 32))
        rows = np.frombuffer(packed, dtype=CELL_ROW)
        rows = rows[np.lexsort((rows["chunk_index"], rows["generation"]))]
        generations, numbers = np.unique(rows["generation"], return_inverse=True)
        keys = (kept + numbers.astype(np.int64)) << 32 | rows["chunk_index"].astype(np.int64)
        return Whereabouts(
            np.concatenate([self.generations[:kept], generations]),
            np.concatenate([self.keys[:known], keys]),
            np.concatenate([self.cells[:known], rows["cell"]]),
        )
