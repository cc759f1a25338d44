"""What has been published, kept in memory: numbers of generations in, whether readers at an epoch may see them out.

A search would otherwise have the engine make a set of all published generations each time, to look ten of them up. A
generation is published once and stays so; what a reader must not see any more is named elsewhere. Beyond a million of them
no more are remembered, and a search asks for the few it has found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


MOST_PUBLICATIONS = 1_000_000  # remembered: 16 bytes each


@dataclass(frozen=True, slots=True)
class Publications:
    """generations: uint64 (n,), ascending; epochs: uint64 (n,), at which each was published; all up to `known_until`."""

    generations: NDArray[np.uint64]
    epochs: NDArray[np.uint64]
    known_until: int

    @classmethod
    def none(cls) -> Publications:
        """Nothing known yet."""
        return cls(np.empty(0, np.uint64), np.empty(0, np.uint64), 0)

    @property
    def full(self) -> bool:
        """Whether there may be more of them than are remembered."""
        return len(self.generations) >= MOST_PUBLICATIONS

    def visible(self, generations: Sequence[int] | NDArray[np.uint64], epoch: int) -> NDArray[np.bool_]:
        """Which of some generations were published by an epoch, bool (n,)."""
        wanted = np.array(generations, dtype=np.uint64)
        if not len(self.generations):
            return np.zeros(len(wanted), dtype=bool)
        places = np.searchsorted(self.generations, wanted).clip(max=len(self.generations) - 1)
        return np.asarray((self.generations[places] == wanted) & (self.epochs[places] <= np.uint64(epoch)))

    def extended(self, rows: bytes, known_until: int) -> Publications:
        """With more of them, as RowBinary of `publications.sql`: pairs of a generation and its epoch."""
        pairs = np.frombuffer(rows, dtype="<u8").reshape(-1, 2)
        generations = np.concatenate([self.generations, pairs[:, 0]])
        epochs = np.concatenate([self.epochs, pairs[:, 1]])
        order = np.argsort(generations, kind="stable")  # nearly sorted, which a stable sort is quick with
        return Publications(generations[order], epochs[order], known_until)
