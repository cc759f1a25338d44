"""A folder in, a store that matches it out: new and changed files are embedded, unchanged ones left, gone ones removed.

Files are read and chunked one by one; their chunks are encoded and stored in windows that reach across files; a document
is published with the window that its last chunk is in. A run that ends early loses the window that it was working on and
the document that was not complete.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from hashlib import blake2b
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from ingest.chunk import DEFAULT_MAX_TOKENS, DEFAULT_OVERLAP_TOKENS, split_document
from ingest.identity import manifest_document
from ingest.plan import make_plan
from ingest.readers import read_documents
from ingest.walk import LeftOut
from rag.encoder.encoder import choose_model, load_encoder
from rag.index.vector_coder import CALIBRATION_VECTORS, VectorCoder
from rag.index.word_index import add_words, beginning
from rag.int8.quantization import VECTOR_SCHEMES
from rag.text.analyser import ANALYSER, LanguageChooser, chunk_words
from sql.base.errors import UnreadableDocument, UsageError
from sql.base.paths import printable
from sql.base.settings import GRANULARITIES, QUANTIZERS, RANGE_METHODS
from sql.base.terminal import Silence
from sql.records.calibration import Quantizer
from sql.store import Draft, Passages
from sql.upkeep.tend import tend_cells

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from numpy.typing import NDArray

    from ingest.document import Document
    from ingest.plan import SyncPlan
    from ingest.walk import Walk
    from rag.encoder.encoder import Encoder
    from rag.int8.quantization import Scheme
    from sql.base.settings import Settings
    from sql.base.terminal import Progress
    from sql.records import Chunk, ChunkWords, LiveDocument, SourceDocument
    from sql.store import Store

# Texts of one length share a batch, so a wide window wastes less; it is also what a finished document waits for and what a
# run that ends early has to repeat. So a window is as wide as the encoder fills in some seconds. Of passages of
# documentation, windows of 128 chunks take as long as wider ones and windows of 64 take 6 % longer.
SECONDS_PER_WINDOW = 10.0
LEAST_CHUNKS_PER_WINDOW, MOST_CHUNKS_PER_WINDOW = 64, 512
SHOWN_REMARKS = 10  # on front matter; of a folder of templates every file may deserve one


@dataclass
class Summary:
    """What a run did; all counts but chunks are files."""

    files: int
    unchanged: int
    skipped: list[LeftOut]
    failed: list[LeftOut]
    indexed: int = 0
    deleted: int = 0
    chunks: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)  # what the user should know of front matter and shared ranges


def prepare_store(
    store: Store,
    settings: Settings,
    model: str | None = None,
    quantizer: str | None = None,
    *,
    granularity: str | None = None,
    ranges: str | None = None,
    language: str = "auto",
    announce: Callable[[str], None] = lambda sentence: None,
) -> tuple[Encoder, Scheme]:
    """The encoder and the scheme to write a store with: its own, or for a new one, which is made, those asked for.

    Raises StoreMismatch where others are asked for than an old store was made with.
    """
    collection = store.collection()
    stored = collection.vector_quantizer if collection else Quantizer(QUANTIZERS[0], GRANULARITIES[0], RANGE_METHODS[0])
    wanted = Quantizer(quantizer or stored.kind, granularity or stored.granularity, ranges or stored.ranges)
    encoder = load_encoder(settings, choose_model(settings, model, collection), announce=announce)
    store.check_encoder(encoder.identity, wanted.name)
    add_words(store, language, announce)  # of a store that an older version has made
    store.prepare(encoder.identity, wanted.name, ANALYSER)
    return encoder, VECTOR_SCHEMES[wanted.kind]


def sync(
    store: Store,
    encoder: Encoder,
    found: Walk,
    scheme: Scheme,
    progress: Progress | None = None,
    *,
    language: str = "auto",
    keep_floats: int = 0,
    recalibrate: bool = False,
) -> Summary:
    """Makes the store match the files that were found. A file that cannot be read keeps its last version, if any.

    `language` is that of the documents, for their words: see rag.text.analyser.choose_language. `keep_floats` N also keeps
    the float32 vector of one chunk in N. `recalibrate` fits the shared ranges again, codes every document with them, and
    publishes all at once: a search reads codes of one calibration only.
    """
    started = monotonic()
    watch = progress or Silence()
    check_recalibration(store, recalibrate=recalibrate)
    plan = make_plan(found, store.documents(), all_again=recalibrate)
    watch.start(len(plan.to_index), sum(file.size for file in plan.to_index))
    summary = Summary(files=len(found.files), unchanged=len(plan.unchanged), skipped=plan.skipped, failed=plan.failed)
    coder = VectorCoder.for_store(store, encoder.identity, scheme, recalibrate=recalibrate)
    tally = FileTally(watch)
    pipeline = Pipeline(
        store, encoder, scheme, tally, keep_floats, holds_back=recalibrate, coder=coder, language=language
    )
    try:
        remarks = index_files(plan, encoder, pipeline, tally)
        # Deletions come last: a file that was moved is found at its new place before it is gone from the old one.
        pipeline.publish_held(plan.claims.going)
    except KeyboardInterrupt as interrupt:
        raise type(interrupt)(where_it_ended(pipeline, tally.files, len(plan.to_index))) from None
    summary.notes = [*few(remarks), *coder.notes()]
    if found.alone:  # else every part of one ingest would train cells and move the same documents
        tend_cells(store)
    summary.indexed, summary.chunks, summary.deleted = tally.files, pipeline.chunks, len(plan.deleted)
    summary.seconds = monotonic() - started
    return summary


def few(remarks: list[str]) -> list[str]:
    """The first remarks, and how many more there are."""
    more = len(remarks) - SHOWN_REMARKS
    return remarks[:SHOWN_REMARKS] + (
        [f"{more} more files have front matter that could not be read in full"] if more > 0 else []
    )


@dataclass
class FileTally:
    """Progress in files for a pipeline that tells of documents: a file is done with the last document that it gave."""

    progress: Progress
    files: int = 0  # that are done
    _documents: int = 0  # that are done, of the first file below
    _queued: deque[tuple[int, int]] = field(default_factory=deque)  # of each file its documents and its bytes

    def expect(self, documents: int, content_bytes: int) -> None:
        """So many documents that come next are one file."""
        self._queued.append((documents, content_bytes))

    def start(self, files: int, content_bytes: int) -> None:
        """How much there is to do."""
        self.progress.start(files, content_bytes)

    def advance(self, files: int = 0, content_bytes: int = 0, chunks: int = 0) -> None:  # noqa: ARG002 - of documents
        """Some documents more are done, which the pipeline takes for files."""
        self._documents += files
        done = []
        while self._queued and self._documents >= self._queued[0][0]:
            documents, size = self._queued.popleft()
            self._documents -= documents
            done.append(size)
        self.files += len(done)
        self.progress.advance(len(done), sum(done), chunks)


def index_files(plan: SyncPlan, encoder: Encoder, pipeline: Pipeline, tally: FileTally) -> list[str]:
    """Reads the files of a plan into the pipeline; returns what is to be remarked on them.

    Those that cannot be read are added to the plan's failures, and keep all documents that they gave before: a file's
    first document goes to the pipeline when its last one has been read.
    """
    remarks = []
    for file in plan.to_index:
        source = printable(file.source)
        try:
            documents = read_documents(file.path, source, file.root)
            plan.claims.take(file, documents)
        except UnreadableDocument as error:
            # The message begins with the name, which stands beside it already wherever failures are shown.
            plan.failed.append(LeftOut(source, str(error).removeprefix(f"{source} ")))
            tally.progress.advance(files=1, content_bytes=file.size)
        else:
            tally.expect(len(documents), documents[0].content_bytes)
            for document in documents:
                stored = manifest_document(document, printable(file.path), len(documents))
                pipeline.add(stored, split(document, encoder))
                if document.remark:
                    remarks.append(f"{document.source}, {document.remark}")
    pipeline.finish()
    return remarks


def where_it_ended(pipeline: Pipeline, done: int, files: int) -> str:
    """What a person who has interrupted a run wants to know."""
    if pipeline.holds_back:
        return "nothing was changed, for new ranges are published with the last document"
    return f"{done} of {files} files are in the store, and the same command goes on from there"


def check_recalibration(store: Store, *, recalibrate: bool) -> None:
    """Raises UsageError where ranges are to be fitted again and none are shared."""
    collection = store.collection()
    if recalibrate and collection and not collection.vector_quantizer.calibrated:
        raise UsageError(
            f"--recalibrate: in {store.client.location} each vector has a range of its own, so there is nothing to fit again"
        )


@dataclass(frozen=True)
class Window:
    """Some chunks with their float vectors, (chunks, dimensions), their words, and the documents that end among them."""

    chunks: list[tuple[Draft, Chunk]]
    vectors: NDArray[np.float32]
    complete: list[Draft]
    words: list[ChunkWords]


@dataclass
class Pipeline:
    """Chunks of many documents, encoded and stored window by window.

    A window is full with as many chunks as were encoded in SECONDS_PER_WINDOW at the rate of the one before, or when its
    first document has waited for as long. Where ranges have to be fitted first, windows wait until enough vectors have
    come together. `progress` hears of chunks when they are encoded, and of documents when they are published, or stored
    where all are published at once.
    """

    store: Store
    encoder: Encoder
    scheme: Scheme
    progress: Progress
    keep_floats: int = 0
    holds_back: bool = False  # publishes nothing before `publish_held`
    coder: VectorCoder | None = None
    language: str = "auto"
    clock: Callable[[], float] = monotonic
    chooser: LanguageChooser | None = None
    published: int = 0
    chunks: int = 0
    _room: int = LEAST_CHUNKS_PER_WINDOW
    _opened: float = 0.0  # when the first document of the window came
    _window: list[tuple[Draft, Chunk]] = field(default_factory=list)
    _words: list[ChunkWords] = field(default_factory=list)
    _complete: list[Draft] = field(default_factory=list)
    _waiting: list[Window] = field(default_factory=list)
    _held: list[Draft] = field(default_factory=list)

    def add(self, document: SourceDocument, chunks: Sequence[Chunk]) -> None:
        """Queues a whole document."""
        if not self._complete and not self._window:
            self._opened = self.clock()
        draft = self.store.begin(document)
        language = self._languages.choose(beginning([chunk.text for chunk in chunks]))
        for chunk in chunks:
            if len(self._window) >= self._room:
                self._flush()
            self._window.append((draft, chunk))
            self._words.append(chunk_words(chunk.text, language))
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
        self.store.publish(self._held, deleted)
        self._held = []

    def _flush(self) -> None:
        """Encodes the window, and stores it unless more vectors are needed to fit ranges on."""
        vectors = self._encode([chunk.text for _, chunk in self._window])
        self._waiting.append(Window(self._window, vectors, self._complete, self._words))
        self._window, self._words, self._complete = [], [], []
        self._opened = self.clock()
        if not self._coder.needs_sample or sum(len(one.vectors) for one in self._waiting) >= CALIBRATION_VECTORS:
            self._store_waiting()

    def _encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of a window, (chunks, dimensions); makes the next one as wide as the encoder is fast."""
        if not texts:
            return self.encoder.encode_documents(texts)
        _ = self.encoder.kernel  # made on first use, which says nothing about its speed
        started = self.clock()
        vectors = self.encoder.encode_documents(texts, lambda count: self.progress.advance(chunks=count))
        self._room = chunks_per_window(len(texts), self.clock() - started)
        return vectors

    def _store_waiting(self) -> None:
        """Stores the rows of waiting windows, and publishes the documents that are complete with each."""
        if self._coder.needs_sample and any(len(one.vectors) for one in self._waiting):
            self._coder.calibrate(np.concatenate([one.vectors for one in self._waiting])[:CALIBRATION_VECTORS])
        windows, self._waiting = self._waiting, []
        for window in windows:
            if window.chunks:
                references = kept_floats(window, self.keep_floats)
                vectors = self._coder.encode(window.vectors)
                self.store.insert(Passages(window.chunks, vectors, window.words, references))
                self.chunks += len(window.chunks)
            if self.holds_back:
                self._held += window.complete
            else:
                self.store.publish(window.complete)
            self.published += len(window.complete)
            self.progress.advance(
                files=len(window.complete), content_bytes=sum(draft.document.content_bytes for draft in window.complete)
            )

    @property
    def _languages(self) -> LanguageChooser:
        """What tells the languages of documents; it knows those of the store."""
        if self.chooser is None:
            languages = self.store.text_statistics(self.store.epoch()).languages
            self.chooser = LanguageChooser(self.language, languages)
        return self.chooser

    @property
    def _coder(self) -> VectorCoder:
        """What makes codes of vectors; on first use that of the store."""
        if self.coder is None:
            self.coder = VectorCoder.for_store(self.store, self.encoder.identity, self.scheme)
        return self.coder


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


def split(document: Document, encoder: Encoder) -> list[Chunk]:
    """The chunks of a document, none longer than the encoder reads."""
    return split_document(document, encoder.tokenizer, max_tokens(encoder), DEFAULT_OVERLAP_TOKENS)


def max_tokens(encoder: Encoder) -> int:
    """Tokens of text in a chunk: our default, or less where the encoder or its prompt leaves less."""
    return min(DEFAULT_MAX_TOKENS, encoder.max_document_tokens)
