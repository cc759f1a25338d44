"""Chunks of many documents in, rows of the store out: encoded and stored window by window, published as they complete.

Who adds documents goes on to the next ones while a thread encodes the window before and another stores the one before that.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from rag.index.line import Line
from rag.index.reuse import Wanted, codes_of_twins
from rag.index.surroundings import embedded_text
from rag.text.analyser import beginning, chunk_words
from sql.base import tracing
from sql.base.errors import RagError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self
    from uuid import UUID

    from numpy.typing import NDArray

    from rag.encoder.encoder import Encoder
    from rag.index.indexer import Indexer
    from rag.index.reuse import Reused
    from sql.base.terminal import Progress
    from sql.records import Chunk, ChunkWords, LiveDocument, SourceDocument
    from sql.store import Draft

Value = TypeVar("Value")

# Texts of one length share a batch, so a wide window wastes less; it is also what a finished document waits for and what a
# run that ends early has to repeat. So a window is as wide as the encoder fills in some seconds. Of passages of
# documentation, windows of 128 chunks take as long as wider ones and windows of 64 take 6 % longer.
SECONDS_PER_WINDOW = 10.0
LEAST_CHUNKS_PER_WINDOW, MOST_CHUNKS_PER_WINDOW = 64, 512
CHUNKS_FOR_AN_IDLE_ENCODER = 128
# To store and publish a window takes a dozen statements and commits, some 80 ms of a processor however few chunks it has:
# windows that follow each other sooner than this are stored together, unless they are many chunks, 10 kB of memory each.
SECONDS_PER_PUBLICATION = 5.0
MOST_CHUNKS_PER_PUBLICATION = 2048

ENCODE, STORE = range(2)  # the steps that a window goes through
NO_VECTORS = np.empty((0, 0), np.float32)


@dataclass
class Window:
    """Some chunks with their words and what is embedded of each, and the documents that end among them.

    `twins` are documents of the same content, one a chunk, None where none is known.

    When it has been encoded, `vectors` are the float vectors of the chunks, (chunks, dimensions), but for those in `reused`,
    which have codes.
    """

    opened: float  # when the first document came
    chunks: list[tuple[Draft, Chunk]] = field(default_factory=list)
    words: list[ChunkWords] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    twins: list[UUID | None] = field(default_factory=list)
    complete: list[Draft] = field(default_factory=list)
    vectors: NDArray[np.float32] = field(default_factory=lambda: NO_VECTORS)
    reused: Reused | None = None

    @property
    def fresh(self) -> list[int]:
        """The rows of `chunks` that `vectors` are of."""
        return fresh_rows(len(self.chunks), self.reused)


@dataclass
class Pipeline:
    """Chunks of many documents, encoded and stored window by window; for one thread, in a `with` statement.

    A window is full with as many chunks as were encoded in SECONDS_PER_WINDOW at the rate of the one before, when its
    first document has waited for as long, or with CHUNKS_FOR_AN_IDLE_ENCODER where that has nothing to do. Where ranges
    have to be fitted first, windows wait until enough vectors have come together; and a window waits for the next one, where
    that is on its way and SECONDS_PER_PUBLICATION have not passed. `progress` hears, from other
    threads but never from two at once, of chunks when they are encoded, and of documents when they are published, or
    stored where all are published at once.

    What fails is raised by the next call of `add`, `wait` or `finish`; `on_failure` is called at once. At the end of a
    `with` statement that an exception leaves, what has been encoded is still stored.
    """

    indexer: Indexer
    encoder: Encoder
    progress: Progress
    keep_floats: int = 0
    holds_back: bool = False  # publishes nothing before `publish_held`
    clock: Callable[[], float] = monotonic
    on_failure: Callable[[], None] = lambda: None
    published: int = 0
    chunks: int = 0
    _room: int = LEAST_CHUNKS_PER_WINDOW
    _window: Window | None = None
    _waiting: list[Window] = field(default_factory=list)
    _stored_at: float | None = None
    _held: list[Draft] = field(default_factory=list)
    _telling: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._within = tracing.here()  # the steps run in other threads
        self._line = Line[Window]((self._encode_window, self._store_window), lambda: self.on_failure())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._line.close()
        else:
            self._line.drop()
            with suppress(RagError):  # the exception that is on its way says more
                self._store_if_coded()

    def add(
        self,
        document: SourceDocument,
        chunks: Sequence[Chunk],
        twin: UUID | None = None,
        words: Sequence[ChunkWords] | None = None,
    ) -> None:
        """Queues a whole document.

        `twin` is one whose content is said to be the same: what the store shows of it when the chunks' turn comes is not
        embedded again. `words` are those of the chunks, where somebody has made them: see `told_language`.
        """
        draft, window = self.indexer.writer.begin(document), self._open_window()
        for chunk, its_words in zip(chunks, self._words(chunks, words), strict=True):
            if len(window.chunks) >= self._room:
                self._hand_over()
                window = self._open_window()
            window.chunks.append((draft, chunk))
            window.words.append(its_words)
            window.texts.append(embedded_text(chunk, document, self.encoder, chunk.tokens))
            window.twins.append(twin)
        window.complete.append(draft)
        if self._is_full(window):
            self._hand_over()

    def wait(self) -> None:
        """Returns when every window that was full is stored."""
        self._line.wait()

    def finish(self) -> None:
        """Stores and publishes what is still queued."""
        self._hand_over()
        self._line.wait()
        self._line.close()
        self._store_waiting()

    def publish_held(self, deleted: Sequence[LiveDocument]) -> None:
        """Publishes what was held back and deletes documents that are not among them, all at once."""
        held = {draft.document_id for draft in self._held}
        self.indexer.writer.publish(self._held, [one for one in deleted if one.document_id not in held])
        self._held = []

    # Filling windows

    def _words(self, chunks: Sequence[Chunk], words: Sequence[ChunkWords] | None) -> Sequence[ChunkWords]:
        """The words of the chunks of a document, in the language that it shows, made here unless they are there."""
        if words:
            self.indexer.languages.count(words[0].language)
            return words
        language = self.indexer.languages.choose(beginning([chunk.text for chunk in chunks]))
        return [chunk_words(chunk.text, language) for chunk in chunks]

    def _open_window(self) -> Window:
        """The window that is being filled."""
        if self._window is None:
            self._window = Window(self.clock())
        return self._window

    def _is_full(self, window: Window) -> bool:
        """Whether a window, in which the last document is complete, is to be encoded. Many empty files must not pile up."""
        size = max(len(window.chunks), len(window.complete))
        return (
            size >= self._room
            or self.clock() - window.opened >= SECONDS_PER_WINDOW
            or (size >= CHUNKS_FOR_AN_IDLE_ENCODER and self._line.is_idle)
        )

    def _hand_over(self) -> None:
        """Hands the window over, if there is one, to be encoded."""
        window, self._window = self._window, None
        if window is not None:
            _ = self.indexer.coder  # made by one thread, before both steps ask for it
            self._line.put(window)

    # The first step

    def _encode_window(self, window: Window) -> None:
        """Finds the codes that the store has, and the vectors of the other chunks."""
        with tracing.span("ingest.encode", self._within, rag_chunks=len(window.chunks)):
            window.reused = self._codes_of_twins(window)
            window.vectors = self._encode(some(window.texts, window.fresh))

    def _codes_of_twins(self, window: Window) -> Reused | None:
        """The codes of a window that the store holds; none where float vectors or new ranges are asked for."""
        if self.keep_floats or self.holds_back or not any(window.twins):
            return None
        self._line.wait_for_later(ENCODE)  # a twin may be in the window before
        self._store_if_coded()  # which the other step, idle now, may have left to be stored with this one
        places = [chunk.index for _, chunk in window.chunks]
        wanted = [Wanted(*one) for one in zip(window.texts, places, window.twins, strict=True)]
        reused = codes_of_twins(self.indexer.store.snapshot(), wanted, self.encoder, self.indexer.coder.calibration)
        self._tell(chunks=len(reused.rows) if reused else 0)
        return reused

    def _encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of some texts, (texts, dimensions); makes windows as wide as the encoder is fast.

        The same text twice is encoded once.
        """
        if not texts:
            return self.encoder.encode_documents(texts)
        _ = self.encoder.kernel  # made on first use, which says nothing about its speed
        places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
        started = self.clock()
        vectors = self.encoder.encode_documents(list(places), self._encoded, self.indexer.store.client.give_way)
        self._room = chunks_per_window(len(places), self.clock() - started)
        self._tell(chunks=len(texts) - len(places))
        return vectors[[places[text] for text in texts]] if len(places) < len(texts) else vectors

    def _encoded(self, chunks: int) -> None:
        """Hears of each batch."""
        self._line.check()
        self._tell(chunks=chunks)

    def _tell(self, **done: int) -> None:
        """Tells how much more has been done."""
        with self._telling:
            self.progress.advance(**done)

    # The second step

    def _store_window(self, window: Window) -> None:
        """Stores an encoded window, unless more vectors are needed to fit ranges on or the next one comes soon."""
        self._waiting.append(window)
        if not self._is_soon_followed():
            self._store_if_coded()

    def _is_soon_followed(self) -> bool:
        """Whether what waits can be stored together with the next window."""
        recent = self._stored_at is not None and self.clock() - self._stored_at < SECONDS_PER_PUBLICATION
        few = sum(len(one.chunks) for one in self._waiting) < MOST_CHUNKS_PER_PUBLICATION
        return recent and few and self._line.has_before(STORE)

    def _store_if_coded(self) -> None:
        """Stores the windows that wait, unless more vectors are needed to fit ranges on."""
        if self._waiting and self.indexer.can_code(sum(len(one.vectors) for one in self._waiting)):
            self._store_waiting()

    def _store_waiting(self) -> None:
        """Stores the rows of waiting windows, and publishes the documents that are complete with them."""
        if any(len(one.vectors) for one in self._waiting):
            self.indexer.fit_ranges(lambda: np.concatenate([one.vectors for one in self._waiting]))
        windows, self._waiting = joined(self._waiting), []
        self._stored_at = self.clock()
        for window in windows:
            with tracing.span("ingest.write", self._within, rag_chunks=len(window.chunks)):
                self._store_chunks(window)
                self.chunks += len(window.chunks)
                if self.holds_back:
                    self._held += window.complete
                else:
                    self.indexer.writer.publish(window.complete)
            self.published += len(window.complete)
            content_bytes = sum(draft.document.content_bytes for draft in window.complete)
            self._tell(files=len(window.complete), content_bytes=content_bytes)

    def _store_chunks(self, window: Window) -> None:
        """Stores what was encoded and what the store had, each with the words of its rows."""
        if fresh := window.fresh:
            references = kept_floats(window, self.keep_floats)
            self.indexer.add(some(window.chunks, fresh), window.vectors, some(window.words, fresh), references)
        if window.reused:
            rows = window.reused.rows
            self.indexer.add_coded(some(window.chunks, rows), window.reused.codes, some(window.words, rows))


def joined(windows: list[Window]) -> list[Window]:
    """Encoded windows as one, to be stored at once; as they are where one has codes that the store had."""
    if len(windows) < 2 or any(one.reused for one in windows):
        return windows
    both = Window(
        windows[0].opened, vectors=np.concatenate([one.vectors for one in windows if one.chunks] or [NO_VECTORS])
    )
    for one in windows:
        both.chunks += one.chunks
        both.words += one.words
        both.texts += one.texts
        both.twins += one.twins
        both.complete += one.complete
    return [both]


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
