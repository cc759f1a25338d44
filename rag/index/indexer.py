"""The one way in: chunks with their float vectors and words in, rows of the store with codes of the vectors out.

Ingest, re-embedding and LangChain all write through it, so that the same chunk becomes the same row whoever brings it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from rag.index.vector_coder import CALIBRATION_VECTORS, VectorCoder
from rag.text.analyser import LanguageChooser
from sql.store import ChunkBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from sql.records import Chunk, ChunkWords, EncoderIdentity, QuantizedVectors
    from sql.store import Draft, Store, Writer


@dataclass
class Indexer:
    """Writes chunks into one store. `language` is that of the documents: see rag.text.analyser.choose_language.

    With `recalibrate` the ranges that vectors share are fitted anew.
    """

    store: Store
    encoder: EncoderIdentity
    language: str = "auto"
    recalibrate: bool = False

    @property
    def writer(self) -> Writer:
        """What begins and publishes the documents."""
        return self.store.writer

    @cached_property
    def coder(self) -> VectorCoder:
        """What makes codes of vectors: with the store's ranges, if its vectors share them."""
        return VectorCoder.for_store(self.store, self.encoder, recalibrate=self.recalibrate)

    @cached_property
    def languages(self) -> LanguageChooser:
        """What tells the languages of texts; it knows those of the store."""
        return LanguageChooser(self.language, self.store.snapshot().text_statistics().languages)

    def can_code(self, vectors: int) -> bool:
        """Whether so many vectors can be coded: the ranges are known, or these are enough to fit them on."""
        return not self.coder.needs_sample or vectors >= CALIBRATION_VECTORS

    def fit_ranges(self, vectors: Callable[[], NDArray[np.float32]]) -> None:
        """Fits the ranges on the first of some vectors (n, dimensions), where that has to be done before any is coded."""
        if self.coder.needs_sample:
            self.coder.calibrate(vectors()[:CALIBRATION_VECTORS])

    def add(
        self,
        chunks: Sequence[tuple[Draft, Chunk]],
        vectors: NDArray[np.float32],
        words: Sequence[ChunkWords],
        references: Mapping[int, Sequence[float]] | None = None,
    ) -> None:
        """Stores chunks of drafts, each with its vector, (chunks, dimensions), and its words; unseen until published.

        `references` are float vectors to be kept beside the codes, by row.
        """
        self.fit_ranges(lambda: vectors)
        self.add_coded(chunks, self.coder.encode(vectors), words, references)

    def add_coded(
        self,
        chunks: Sequence[tuple[Draft, Chunk]],
        codes: QuantizedVectors,
        words: Sequence[ChunkWords],
        references: Mapping[int, Sequence[float]] | None = None,
    ) -> None:
        """Stores chunks of drafts like `add`, their vectors being codes of this store already, (chunks, dimensions)."""
        self.writer.insert(ChunkBatch(chunks, codes, words, references or {}))
