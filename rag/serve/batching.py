"""Texts of many requests in, what an encoder makes of them out, computed together.

A text's vector depends on the text alone (rag/encoder/encoder.py), so nobody gets another one than by itself; eight
questions in a batch take a fourth of the time that they take one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rag.encoder.encoder import Encoder
from rag.serve.readers import Readers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from rag.encoder.states import TokenStates

    Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class SharedEncoder(Encoder):
    """An encoder whose batches hold texts of several threads; otherwise the one it was made of, vector for vector."""

    alone: Encoder = field(kw_only=True, repr=False, compare=False)  # the one it was made of
    readers: Readers = field(kw_only=True, repr=False, compare=False)

    def read_questions(self, questions: Sequence[str]) -> list[tuple[Vectors, TokenStates]]:
        """The vector of each question and those of its tokens, which share a batch with the questions of other threads."""
        return self.readers.results(self.alone.read_questions, questions)

    def _read_tokens(self, texts: Sequence[str], prompt: str) -> list[TokenStates]:
        """Those of passages share a batch with the passages of other threads, and one that several ask for is read once."""
        if not texts or prompt != self.config.document_prompt:
            return super()._read_tokens(texts, prompt)
        return self.readers.results(self._read_passages, texts)

    def _read_passages(self, passages: Sequence[str]) -> list[TokenStates]:
        return self.alone.token_states(passages, self.config.document_prompt)

    def close(self) -> None:
        """Computes what waits, and ends the threads."""
        self.readers.close()

    def encode(
        self,
        texts: Sequence[str],
        progress: Callable[[int], None] = lambda count: None,
        give_way: Callable[[], None] = lambda: None,  # noqa: ARG002 - who gives way are the readers
    ) -> Vectors:
        """Vectors of texts as they stand, float32 (texts, dimensions); RagError for a text that is too long."""
        vectors = np.empty((len(texts), self.config.dimensions), dtype=np.float32)
        for number, asked in enumerate(self.readers.ask(self.alone.encode, texts)):
            vectors[number] = asked.found.result()
            progress(1)
        return vectors


def shared(encoder: Encoder, watch: Callable[[int, int], None] = lambda requests, texts: None) -> SharedEncoder:
    """An encoder for many threads made of an ordinary one."""
    readers = Readers(lambda: encoder.kernel.threads, lambda: encoder.kernel.limited(1), watch)
    found = SharedEncoder(encoder.config, encoder.tokenizer, lambda: encoder.kernel, alone=encoder, readers=readers)
    object.__setattr__(found, "_remembered", encoder._remembered)  # what one has read the other need not read again
    return found
