"""Chunks of many documents in, rows of the store out: encoded and stored window by window, published as they complete."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from rag.index.reuse import codes_of_twins
from rag.index.word_index import beginning

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from numpy.typing import NDArray

    from rag.encoder.encoder import Encoder
    from rag.index.indexer import Indexer
    from rag.index.reuse import Reused
    from sql.base.terminal import Progress
    from sql.records import Chunk, LiveDocument, SourceDocument
    from sql.store import Draft

Value = TypeVar("Value")

# Texts of one length share a batch, so a wide window wastes less; it is also what a finished document waits for and what a
# run that ends early has to repeat. So a window is as wide as the encoder fills in some seconds. Of passages of
# documentation, windows of 128 chunks take as long as wider ones and windows of 64 take 6 % longer.
SECONDS_PER_WINDOW = 10.0
LEAST_CHUNKS_PER_WINDOW, MOST_CHUNKS_PER_WINDOW = 64, 512


@dataclass(frozen=True)
class Window:
    """Some chunks with their languages, and the documents that end among them.

    `vectors` are the float vectors of the chunks, (chunks, dimensions), but for those in `reused`, which have codes.
    """

    chunks: list[tuple[Draft, Chunk]]
    vectors: NDArray[np.float32]
    complete: list[Draft]
    languages: list[str]
    reused: Reused | None = None

    @property
    def fresh(self) -> list[int]:
        """The rows of `chunks` that `vectors` are of."""
        return fresh_rows(len(self.chunks), self.reused)


@dataclass
class Pipeline:
    """Chunks of many documents, encoded and stored window by window.

    A window is full with as many chunks as were encoded in SECONDS_PER_WINDOW at the rate of the one before, or when its
    first document has waited for as long. Where ranges have to be fitted first, windows wait until enough vectors have
    come together. `progress` hears of chunks when they are encoded, and of documents when they are published, or stored
    where all are published at once.
    """

    indexer: Indexer
    encoder: Encoder
    progress: Progress
    keep_floats: int = 0
    holds_back: bool = False  # publishes nothing before `publish_held`
    clock: Callable[[], float] = monotonic
    published: int = 0
    chunks: int = 0
    _room: int = LEAST_CHUNKS_PER_WINDOW
    _opened: float = 0.0  # when the first document of the window came
    _window: list[tuple[Draft, Chunk]] = field(default_factory=list)
    _languages: list[str] = field(default_factory=list)
    _twins: list[UUID | None] = field(default_factory=list)
    _complete: list[Draft] = field(default_factory=list)
    _waiting: list[Window] = field(default_factory=list)
    _held: list[Draft] = field(default_factory=list)

    def add(self, document: SourceDocument, chunks: Sequence[Chunk], twin: UUID | None = None) -> None:
        """Queues a whole document. `twin` is one whose content is said to be the same: what the store shows of it when
        the chunks' turn comes is not embedded again."""
        if not self._complete and not self._window:
            self._opened = self.clock()
        draft = self.indexer.writer.begin(document)
        language = self.indexer.languages.choose(beginning([chunk.text for chunk in chunks]))
        for chunk in chunks:
            if len(self._window) >= self._room:
                self._flush()
            self._window.append((draft, chunk))
            self._languages.append(language)
            self._twins.append(twin)
        self._complete.append(draft)
        # Only now is a document that fills the window complete; and many empty files must not pile up.
        full = max(len(self._window), len(self._complete)) >= self._room
        if full or self.clock() - self._opened >= SECONDS_PER_WINDOW:
            self._flush()

    def finish(self) -> None:
        """Stores and publishes what is still queued."""
        self._flush()
        self._store_waiting()

    def publish_held(self, deleted: Sequence[LiveDocument]) -> None:
        """Publishes what was held back and deletes documents, all at once."""
        self.indexer.writer.publish(self._held, deleted)
        self._held = []

    def _flush(self) -> None:
        """Encodes the window, and stores it unless more vectors are needed to fit ranges on."""
        reused = self._codes_of_twins()
        vectors = self._encode([self._window[row][1].text for row in fresh_rows(len(self._window), reused)])
        self._waiting.append(Window(self._window, vectors, self._complete, self._languages, reused))
        self._window, self._languages, self._twins, self._complete = [], [], [], []
        self._opened = self.clock()
        if self.indexer.can_code(sum(len(one.vectors) for one in self._waiting)):
            self._store_waiting()

    def _codes_of_twins(self) -> Reused | None:
        """The codes of the window that the store holds; none where float vectors or new ranges are asked for."""
        if self.keep_floats or self.holds_back or not any(self._twins):
            return None
        chunks, calibration = [chunk for _, chunk in self._window], self.indexer.coder.calibration
        reused = codes_of_twins(self.indexer.store.snapshot(), chunks, self._twins, calibration)
        self.progress.advance(chunks=len(reused.rows) if reused else 0)
        return reused

    def _encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of some texts, (texts, dimensions); makes the next window as wide as the encoder is fast.

        The same text twice is encoded once.
        """
        if not texts:
            return self.encoder.encode_documents(texts)
        _ = self.encoder.kernel  # made on first use, which says nothing about its speed
        places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
        started = self.clock()
        vectors = self.encoder.encode_documents(list(places), lambda count: self.progress.advance(chunks=count))
        self._room = chunks_per_window(len(places), self.clock() - started)
        self.progress.advance(chunks=len(texts) - len(places))
        return vectors[[places[text] for text in texts]] if len(places) < len(texts) else vectors

    def _store_waiting(self) -> None:
        """Stores the rows of waiting windows, and publishes the documents that are complete with each."""
        if any(len(one.vectors) for one in self._waiting):
            self.indexer.fit_ranges(lambda: np.concatenate([one.vectors for one in self._waiting]))
        windows, self._waiting = self._waiting, []
        for window in windows:
            self._store_chunks(window)
            self.chunks += len(window.chunks)
            if self.holds_back:
                self._held += window.complete
            else:
                self.indexer.writer.publish(window.complete)
            self.published += len(window.complete)
            self.progress.advance(
                files=len(window.complete), content_bytes=sum(draft.document.content_bytes for draft in window.complete)
            )

    def _store_chunks(self, window: Window) -> None:
        """Stores what was encoded and what the store had, each with the languages of its rows."""
        if fresh := window.fresh:
            references = kept_floats(window, self.keep_floats)
            self.indexer.add(some(window.chunks, fresh), window.vectors, some(window.languages, fresh), references)
        if window.reused:
            rows = window.reused.rows
            self.indexer.add_coded(some(window.chunks, rows), window.reused.codes, some(window.languages, rows))


def fresh_rows(rows: int, reused: Reused | None) -> list[int]:
    """The rows of a window that have to be encoded, in order."""
    known = set(reused.rows) if reused else set()
    return [row for row in range(rows) if row not in known]


def some(values: Sequence[Value], rows: Sequence[int]) -> list[Value]:
    """The values of some rows."""
    return [values[row] for row in rows]


def chunks_per_window(chunks: int, seconds: float) -> int:
    """How many chunks are encoded in SECONDS_PER_WINDOW at the rate of so many in so many seconds, within bounds.

    >>> chunks_per_window(64, 4.0), chunks_per_window(160, 100.0), chunks_per_window(64, 0.0)
    (160, 64, 512)
    """
    wanted = int(chunks * SECONDS_PER_WINDOW / max(seconds, 1e-6))
    return min(max(wanted, LEAST_CHUNKS_PER_WINDOW), MOST_CHUNKS_PER_WINDOW)


def kept_floats(window: Window, one_in: int) -> dict[int, list[float]]:
    """The vectors of one chunk in N, by row; which ones, a digest of document and place decides on every run alike."""
    if not one_in:
        return {}
    return {
        row: window.vectors[row].tolist()
        for row, (draft, chunk) in enumerate(window.chunks)
        if chunk_digest(draft.document_id, chunk.index) % one_in == 0
    }


def chunk_digest(document_id: UUID, index: int) -> int:
    """BLAKE2b-64 of a chunk's document and its place there."""
    return int.from_bytes(blake2b(document_id.bytes + index.to_bytes(8, "little"), digest_size=8).digest(), "little")
