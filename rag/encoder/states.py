"""What an encoder makes of every token of a text, and a memory of the texts that were read last.

Answers read each passage token by token, and questions to the same documents meet the same passages again.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

REMEMBERED_BYTES = 64 << 20  # some 500 passages of 150 tokens with 384 numbers


@dataclass(frozen=True, slots=True)
class TokenStates:
    """The tokens of a text, special ones left out: start and end of each, int64 (tokens, 2) in code points, and what the
    last layer made of it, float16 (tokens, dimensions).

    Their cosines differ from those of float32 by less than 0.001, and they take half the memory.
    """

    spans: NDArray[np.int64]
    states: NDArray[np.float16]

    @property
    def size(self) -> int:
        """Bytes that they take."""
        return self.spans.nbytes + self.states.nbytes

    @classmethod
    def of(cls, spans: NDArray[np.int64], states: NDArray[np.float32], start: int) -> TokenStates:
        """Those of a piece that begins at `start`, of all its tokens: special ones and what stands before it are left out."""
        own = np.flatnonzero((spans[:, 0] < spans[:, 1]) & (spans[:, 0] >= 0))
        return cls(spans[own] + start, states[own].astype(np.float16))

    @classmethod
    def joined(cls, pieces: Sequence[TokenStates], dimensions: int) -> TokenStates:
        """Those of the pieces of a text, in whatever order they were read, as those of the whole."""
        if len(pieces) == 1:
            return pieces[0]
        in_order = sorted((piece for piece in pieces if len(piece.spans)), key=lambda piece: int(piece.spans[0, 0]))
        spans = [piece.spans for piece in in_order] or [np.empty((0, 2), np.int64)]
        states = [piece.states for piece in in_order] or [np.empty((0, dimensions), np.float16)]
        return cls(np.concatenate(spans), np.concatenate(states))


class Remembered:
    """The states of the texts that were read last, by text and prompt, in a bounded memory; safe to use from any thread."""

    def __init__(self, most_bytes: int = REMEMBERED_BYTES) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._known: OrderedDict[tuple[str, str], TokenStates] = OrderedDict()
        self._lock = Lock()

    def get(self, text: str, prompt: str) -> TokenStates | None:
        """Those of a text, which was used last from now on; None where it is not known or no longer."""
        with self._lock:
            found = self._known.get((text, prompt))
            if found is not None:
                self._known.move_to_end((text, prompt))
            return found

    def put(self, text: str, prompt: str, states: TokenStates) -> None:
        """Remembers those of a text, and forgets those that have not been used for the longest time.

        A text that is larger than the memory is not remembered.
        """
        if states.size > self.most_bytes:
            return
        with self._lock:
            before = self._known.pop((text, prompt), None)
            self.bytes += states.size - (before.size if before else 0)
            self._known[text, prompt] = states
            while self.bytes > self.most_bytes:
                self.bytes -= self._known.popitem(last=False)[1].size
