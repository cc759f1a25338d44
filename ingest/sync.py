"""A folder in, a store that matches it out: new and changed files are embedded, unchanged ones left, gone ones removed.

Files are read and chunked one by one; their chunks are encoded and stored in windows that reach across files; a document
is published as soon as its last chunk has arrived. A run that is killed loses the documents that were not complete.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING

from ingest.chunk import DEFAULT_MAX_TOKENS, DEFAULT_OVERLAP_TOKENS, chunker_name, split_document
from ingest.front_matter import document_metadata
from ingest.read import file_bytes, read_document
from ingest.walk import FoundFile, Refusal, Walk, printable
from rag.encoder import choose_model, load_encoder
from rag.quantization import VECTOR_SCHEMES, quantize_vectors
from sql.errors import UnreadableDocument
from sql.records import SourceDocument
from sql.settings import QUANTIZERS
from sql.store import Draft, Passages
from sql.tend import tend_cells
from sql.terminal import Silence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ingest.read import Document
    from rag.encoder import Encoder
    from rag.quantization import Scheme
    from sql.records import Chunk, LiveDocument
    from sql.settings import Settings
    from sql.store import Store
    from sql.terminal import Progress

# Texts of one length share a batch, so a wide window wastes less; it is also the work a killed run repeats.
CHUNKS_PER_WINDOW = 512
# A document that was cut by another chunker is cut anew. Encoders that read less than this get smaller chunks, but a
# store has one encoder for life, so the name need not say which.
CHUNKER = chunker_name(DEFAULT_MAX_TOKENS, DEFAULT_OVERLAP_TOKENS)


@dataclass
class Plan:
    """What has to be done so that the store matches the files."""

    new: list[FoundFile] = field(default_factory=list)
    changed: list[FoundFile] = field(default_factory=list)
    unchanged: list[FoundFile] = field(default_factory=list)
    deleted: list[LiveDocument] = field(default_factory=list)
    skipped: list[Refusal] = field(default_factory=list)
    failed: list[Refusal] = field(default_factory=list)

    @property
    def to_index(self) -> list[FoundFile]:
        """Files to embed."""
        return self.new + self.changed


@dataclass
class Summary:
    """What a run did; all counts but chunks are files."""

    files: int
    unchanged: int
    skipped: list[Refusal]
    failed: list[Refusal]
    indexed: int = 0
    deleted: int = 0
    chunks: int = 0
    seconds: float = 0.0


def prepare_store(
    store: Store,
    settings: Settings,
    model: str | None = None,
    quantizer: str | None = None,
    *,
    announce: Callable[[str], None] = lambda sentence: None,
) -> tuple[Encoder, Scheme]:
    """The encoder and the scheme to write a store with: its own, or for a new one, which is made, those asked for.

    Raises StoreMismatch where others are asked for than an old store was made with.
    """
    collection = store.collection()
    kind = quantizer or (collection.scheme if collection else QUANTIZERS[0])
    encoder = load_encoder(settings, choose_model(settings, model, collection), announce=announce)
    store.prepare(encoder.identity, f"{kind} int8 per vector")
    return encoder, VECTOR_SCHEMES[kind]


def make_plan(found: Walk, documents: Sequence[LiveDocument]) -> Plan:
    """Compares files with documents by the SHA-256 of their content: no clock and no size decides anything."""
    plan = Plan(skipped=list(found.skipped), failed=list(found.failed))
    known = {document.path: document for document in documents}
    present = set()
    for file in found.files:
        path = printable(file.path)
        present.add(path)
        document = known.get(path)
        if document is None:
            plan.new.append(file)
        elif document.chunker == CHUNKER and document.content_sha256 == content_sha256(file):
            plan.unchanged.append(file)
        else:
            plan.changed.append(file)
    plan.deleted = [document for document in documents if document.path not in present and found.covers(document.path)]
    return plan


def content_sha256(file: FoundFile) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; empty where it cannot be read, which reading will report."""
    try:
        return sha256(file_bytes(file.path, printable(file.source))).hexdigest()
    except UnreadableDocument:
        return ""


def sync(store: Store, encoder: Encoder, found: Walk, scheme: Scheme, progress: Progress | None = None) -> Summary:
    """Makes the store match the files that were found. A file that cannot be read keeps its last version, if any."""
    started = monotonic()
    watch = progress or Silence()
    plan = make_plan(found, store.documents())
    watch.start(len(plan.to_index), sum(file.size for file in plan.to_index))
    summary = Summary(files=len(found.files), unchanged=len(plan.unchanged), skipped=plan.skipped, failed=plan.failed)
    pipeline = Pipeline(store, encoder, scheme, watch)
    for file in plan.to_index:
        try:
            document = read_document(file.path, printable(file.source))
        except UnreadableDocument as error:
            source = printable(file.source)
            # The message begins with the name, which stands beside it already wherever refusals are shown.
            plan.failed.append(Refusal(source, str(error).removeprefix(f"{source} ")))
        else:
            pipeline.add(source_document(document, printable(file.path)), split(document, encoder))
        watch.advance(files=1, content_bytes=file.size)
    pipeline.finish()
    # Deletions come last: a file that was moved is found at its new place before it is gone from the old one.
    store.publish([], plan.deleted)
    tend_cells(store)
    summary.indexed, summary.chunks, summary.deleted = pipeline.published, pipeline.chunks, len(plan.deleted)
    summary.seconds = monotonic() - started
    return summary


@dataclass
class Pipeline:
    """Chunks of many documents, encoded and stored window by window."""

    store: Store
    encoder: Encoder
    scheme: Scheme
    progress: Progress
    published: int = 0
    chunks: int = 0
    _window: list[tuple[Draft, Chunk]] = field(default_factory=list)
    _complete: list[Draft] = field(default_factory=list)

    def add(self, document: SourceDocument, chunks: Sequence[Chunk]) -> None:
        """Queues a whole document."""
        draft = self.store.begin(document)
        for chunk in chunks:
            if len(self._window) == CHUNKS_PER_WINDOW:
                self._flush()
            self._window.append((draft, chunk))
        self._complete.append(draft)
        # Only now is a document that fills the window complete; and many empty files must not pile up.
        if max(len(self._window), len(self._complete)) >= CHUNKS_PER_WINDOW:
            self._flush()

    def finish(self) -> None:
        """Stores and publishes what is still queued."""
        self._flush()

    def _flush(self) -> None:
        """Encodes the window, stores its rows, and publishes the documents that are complete."""
        if self._window:
            texts = [chunk.text for _, chunk in self._window]
            vectors = quantize_vectors(
                self.encoder.encode_documents(texts, lambda count: self.progress.advance(chunks=count)), self.scheme
            )
            self.store.insert(Passages(self._window, vectors))
            self.chunks += len(self._window)
        self.store.publish(self._complete)
        self.published += len(self._complete)
        self._window, self._complete = [], []


def split(document: Document, encoder: Encoder) -> list[Chunk]:
    """The chunks of a document, none longer than the encoder reads."""
    return split_document(document, encoder.tokenizer, max_tokens(encoder), DEFAULT_OVERLAP_TOKENS)


def max_tokens(encoder: Encoder) -> int:
    """Tokens of text in a chunk: our default, or less where the encoder or its prompt leaves less."""
    return min(DEFAULT_MAX_TOKENS, encoder.max_document_tokens)


def source_document(document: Document, path: str) -> SourceDocument:
    """The manifest's view of a document that was read; `path` is its identity."""
    return SourceDocument(
        path=path,
        source=document.source,
        title=printable(document.title),  # the name of a file may be its title, and need not be UTF-8
        format=document.format,
        encoding=document.encoding,
        content_sha256=document.content_hash,
        content_bytes=document.content_bytes,
        chunker=CHUNKER,
        extracted_text=document.text if document.converted else None,
        metadata=document_metadata(document),
    )
