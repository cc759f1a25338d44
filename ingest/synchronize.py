"""A folder in, a store that matches it out: new and changed files are embedded, unchanged ones left, gone ones removed.

Files are read and chunked ahead, by other processes where that is safer or faster (ingest/box); their chunks are encoded
and stored in windows that reach across files; a document is published with the window that its last chunk is in. A run
that ends early loses the window that it was working on and the document that was not complete.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from ingest.acl import Acl, Regrouping, group_notes
from ingest.box.ahead import ReadAhead
from ingest.box.limits import Limits
from ingest.box.worker import Chunking
from ingest.chunk import chunker_name
from ingest.cutting import AS_BEFORE, ChunkOptions, check_all_reached, chosen_settings, fitting, split
from ingest.given_metadata import NOTHING_SAID, GivenMetadata
from ingest.identity import manifest_document
from ingest.plan import make_plan
from ingest.selection import Selection
from ingest.walk import LeftOut, walk
from rag.index.indexer import Indexer
from rag.index.pipeline import Pipeline
from rag.index.word_index import add_words, documents_without_words
from rag.index.word_vectors import add_word_vectors, word_vectors_sentence
from rag.text.analyser import ANALYSER
from sql.base import tracing
from sql.base.errors import InvalidMetadata, UnreadableDocument, UsageError
from sql.base.paths import printable
from sql.base.settings import QUANTIZERS
from sql.base.terminal import Silence
from sql.base.wording import counted
from sql.records.calibration import Quantizer
from sql.records.metadata import NO_METADATA
from sql.store.damage import end_damage
from sql.store.windows import document_windows, documents_not_newer, some_metadata
from sql.upkeep.cells import maintain_cells

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set

    from ingest.box.messages import Content
    from ingest.found_files import FoundFile
    from ingest.given_metadata import Metadata
    from ingest.plan import SyncPlan
    from ingest.walk import Walk
    from rag.encoder.encoder import Encoder
    from rag.library import Library
    from sql.base.terminal import Progress
    from sql.records import SourceDocument
    from sql.records.chunking import ChunkSettings
    from sql.store import Store
    from sql.store.word_vectors import WordCounts

OCR_SECONDS = 3600.0  # for a file: a page that is a picture takes one to ten
SHOWN_UNUSED = 3  # paths
NO_TEXT = "no text was found in it"
PICTURES = ("svg",)  # formats of which most files hold no text: a folder of icons deserves no remark for each
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
    word_vectors: WordCounts | None = None  # all there are now, of a store that has any
    notes: list[str] = field(default_factory=list)  # what the user should know of front matter and shared ranges


def prepare(
    library: Library,
    quantizer: str | None = None,
    granularity: str | None = None,
    ranges: str | None = None,
    bits: int | None = None,
    *,
    files: int = 0,
) -> Encoder:
    """The encoder to fill a library with: its store's own, or for a new one, whose tables are made, the one asked for.

    Where the store is new and there are `files` to be read, the encoder gets ready while the tables are made. Raises
    StoreMismatch where another encoder or quantizer is asked for than an old store was made with.
    """
    store = library.store
    collection = store.collection()
    stored = collection.vector_quantizer if collection else Quantizer(QUANTIZERS[0])
    wanted = stored.changed(quantizer, granularity, ranges, bits)
    encoder = library.document_encoder()
    if collection is None and files:
        encoder.make_kernel_ahead()
    store.made_with.check_encoder(encoder.identity, wanted.name)
    add_words(store, library.language, library.announce)  # of a store that an older version has made
    store.prepare(encoder.identity, wanted.name, ANALYSER)
    return encoder


def sync(
    library: Library,
    paths: Iterable[str | Path],
    *,
    quantizer: str | None = None,
    granularity: str | None = None,
    ranges: str | None = None,
    bits: int | None = None,
    keep_floats: int = 0,
    recalibrate: bool = False,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    gitignore: bool = True,
    ocr: bool = False,
    metadata: Metadata | None = None,
    metadata_by_path: Mapping[str, Metadata] | None = None,
    groups_by_path: Mapping[str, Iterable[str]] | None = None,
    chunk_size: int | None = None,
    chunk_overlap: int | None = None,
    embed_headings: bool | None = None,
    word_vectors: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Makes the store of a library match the files below some paths, as `python -m ingest` does.

        with rag.open(".rag", write=True) as library:
            ingest.sync(library, ["docs/"])

    New and changed files are embedded, unchanged ones left, and documents below these paths whose files are gone deleted;
    documents elsewhere stay. A file that cannot be read keeps its last version, and is listed in `failed`.

    `quantizer` (asymmetric or symmetric), `granularity` (vector, dimension or collection), `ranges` (minmax, percentile or
    mse) and `bits` (8 or 4, of a code) are for a new store. `keep_floats` N also keeps the float32 vector of one chunk in N.
    `recalibrate` fits the shared ranges again, codes every document with them, and publishes all at once.

    `chunk_size` and `chunk_overlap` are the most tokens of a chunk and how many it may repeat of the one before;
    `embed_headings` says whether the headings above a chunk are embedded with it. The store keeps to them in later runs.
    Others than it has are for all of its documents: UsageError where one is not below the paths. `word_vectors` also keeps a
    vector of every word, in this run and in later ones, so that SQL can search for a text without the encoder.

    `include` and `exclude` are patterns as in .gitignore, for files below the folders that are given; with `gitignore`
    what the folders' own .gitignore files name is left out too. What is left out is deleted from the store.

    With `ocr` text is recognised in pages of PDF files that are pictures, which needs the extra `ocr`; files that have
    such pages are read again for that, once. Without it, an unchanged file keeps what was recognised in it.

    `metadata` is given to every document below these paths, `metadata_by_path` to those at a path, below a folder or
    that fit a pattern as in .gitignore; of several that fit one the last holds, `metadata` goes before them, and both
    before what a document says of itself. Without either of them documents keep what they were given before; with one,
    what is not given any longer is gone. No text is embedded again for that.

    `groups_by_path` says which groups may read the documents at a path, below a folder or that fit a pattern: roles of the
    server that the store is on, or `everyone`. Of several that fit one the last holds alone, and a document that none fits is
    read by nobody whom row policies hold for. Without it documents keep their groups. Nothing is embedded again.
    Other threads store meanwhile: not to be called by one that holds `store.writing`. `progress` hears from them, one at a
    time. Raises RagError where a path is missing or cannot be listed: then nothing was changed.
    """
    if library.store.client.read_only:
        raise UsageError(
            f"{library.store.client.location} was opened for reading only: use rag.open(..., write=True) to fill it"
        )
    given = [paths] if isinstance(paths, str | Path) else paths
    selection = Selection(tuple(include), tuple(exclude), gitignore, library.store.client.location.real_folder)
    said, acl = GivenMetadata.said(metadata, metadata_by_path), Acl.said(groups_by_path)
    if acl is not None:
        library.store.client.location.require_policies()
    found = walk([str(path) for path in given], selection)
    prepare(library, quantizer, granularity, ranges, bits, files=len(found.files))
    summary = sync_walk(
        library,
        found,
        progress,
        keep_floats=keep_floats,
        recalibrate=recalibrate,
        ocr=ocr,
        said=said,
        acl=acl,
        chunks=ChunkOptions(chunk_size, chunk_overlap, embed_headings),
        word_vectors=word_vectors,
    )
    library.store.garbage.collect()
    return summary


def sync_walk(
    library: Library,
    found: Walk,
    progress: Progress | None = None,
    *,
    keep_floats: int = 0,
    recalibrate: bool = False,
    ocr: bool = False,
    said: GivenMetadata = NOTHING_SAID,
    acl: Acl | None = None,
    chunks: ChunkOptions = AS_BEFORE,
    word_vectors: bool = False,
) -> Summary:
    """Makes a store that is prepared match the files that were found: see `sync`."""
    check_ocr(ocr=ocr)
    started, store, encoder = monotonic(), library.store, library.document_encoder()
    watch = progress or Silence()
    check_recalibration(store, recalibrate=recalibrate)
    now = store.snapshot()
    stored = now.chunk_settings()
    settings = chosen_settings(chunks, stored, encoder)
    check_all_reached(found, document_windows(now), stored, settings)
    regrouping = Regrouping(acl, found, store) if acl is not None else None
    windows = document_windows(now)
    plan = make_plan(
        found,
        regrouping.through(windows) if regrouping else windows,
        all_again=recalibrate,
        ocr=ocr,
        said=said,
        metadata=partial(some_metadata, now),
        chunker=chunker_name(settings),
        damaged=damaged_documents(store),
    )
    if plan.to_index:
        encoder.make_kernel_ahead()
    watch.start(len(plan.to_index), sum(file.size for file in plan.to_index))
    summary = Summary(files=len(found.files), unchanged=len(plan.unchanged), skipped=plan.skipped, failed=plan.failed)
    tally = FileTally(watch)
    indexer = Indexer(store, encoder.identity, library.language, recalibrate)
    try:
        with tracing.span("ingest", rag_files=len(plan.to_index)):
            pipeline = Pipeline(indexer, encoder, tally, keep_floats, holds_back=recalibrate)
            with pipeline:
                remarks = index_files(plan, settings, pipeline, tally, ocr, regrouping.take if regrouping else untold)
            # Deletions come last: a file that was moved is found at its new place before it is gone from the old one.
            delete_gone(plan, store, pipeline, now.epoch)
    except KeyboardInterrupt as interrupt:
        raise type(interrupt)(where_it_ended(pipeline, tally.files, len(plan.to_index))) from None
    if regrouping is not None:
        regrouping.finish()
    summary.notes = [
        *left_out_note(plan.still_there),
        *few(remarks),
        *(unused_rules(plan, acl) if found.alone else ()),
        *indexer.coder.notes(),
    ]
    if store.set_aside and found.alone:
        summary.notes.append(end_damage(store.set_aside, store.snapshot(), damaged_documents(store)))
    summary.notes += group_notes(store, regrouping.changed if regrouping else 0)
    if found.alone:  # else every part of one ingest would train cells and move the same documents
        maintain_cells(store)
        summary.word_vectors = add_word_vectors(store, encoder, begin=word_vectors, announce=library.announce)
        if summary.word_vectors is not None:
            summary.notes.append(word_vectors_sentence(summary.word_vectors))
    summary.indexed, summary.chunks, summary.deleted = tally.files, pipeline.chunks, len(plan.deleted)
    summary.seconds = monotonic() - started
    return summary


def damaged_documents(store: Store) -> Set[str]:
    """Paths of documents that have lost chunks, words or places with a file of the store; looked for only after such a loss."""
    if not store.set_aside:
        return frozenset()
    return {*store.snapshot().damaged_documents(), *(one.path for one in documents_without_words(store))}


def left_out_note(files: int) -> Iterator[str]:
    """What is said where documents are deleted whose files are still there."""
    if files:
        yield (
            f"deleted from the store, though still in the folder: {counted(files, 'file')} that this ingest leaves out by a "
            "pattern or a name; an ingest without the pattern brings them back; to add only some files to a store, name them "
            "instead of their folder"
        )


def delete_gone(plan: SyncPlan, store: Store, pipeline: Pipeline, until: int) -> None:
    """Deletes what a plan, made at the epoch `until`, wants gone and nobody has published since, some thousand at a time.

    Where the pipeline holds documents back these are published with it, and all of that is done at once.
    """
    gone = (documents_not_newer(store.snapshot(), document_ids, until) for document_ids in plan.claims.going())
    if pipeline.holds_back:
        pipeline.publish_held([document for some in gone for document in some])
        return
    for some in gone:
        store.writer.publish([], some)


def few(remarks: list[str]) -> list[str]:
    """The first remarks, and how many more there are."""
    more = len(remarks) - SHOWN_REMARKS
    return remarks[:SHOWN_REMARKS] + ([f"{counted(more, 'more file')} could not be read in full"] if more > 0 else [])


@dataclass
class FileTally:
    """Progress in files for a pipeline that tells of documents: a file is done with the last document that it gave.

    Told by several threads; what it tells goes out from one at a time.
    """

    progress: Progress
    files: int = 0  # that are done
    _documents: int = 0  # that are done, of the first file below
    _queued: deque[tuple[int, int]] = field(default_factory=deque)  # of each file its documents and its bytes
    _telling: Lock = field(default_factory=Lock)

    def expect(self, documents: int, content_bytes: int) -> None:
        """So many documents that come next are one file."""
        with self._telling:
            self._queued.append((documents, content_bytes))

    def leave_out(self, content_bytes: int) -> None:
        """A file cannot be read, and is done with."""
        with self._telling:
            self.progress.advance(files=1, content_bytes=content_bytes)

    def start(self, files: int, content_bytes: int) -> None:
        """How much there is to do."""
        self.progress.start(files, content_bytes)

    def advance(self, files: int = 0, content_bytes: int = 0, chunks: int = 0) -> None:  # noqa: ARG002 - of documents
        """Some documents more are done, which the pipeline takes for files."""
        with self._telling:
            self._documents += files
            done = []
            while self._queued and self._documents >= self._queued[0][0]:
                documents, size = self._queued.popleft()
                self._documents -= documents
                done.append(size)
            self.files += len(done)
            self.progress.advance(len(done), sum(done), chunks)


def untold(file: FoundFile, documents: Sequence[SourceDocument]) -> None:
    """Nobody wants to know what a file gives."""


def index_files(
    plan: SyncPlan,
    settings: ChunkSettings,
    pipeline: Pipeline,
    tally: FileTally,
    ocr: bool = False,
    tell: Callable[[FoundFile, Sequence[SourceDocument]], None] = untold,
) -> list[str]:
    """Reads the files of a plan into the pipeline; returns what is to be remarked on them. `tell` hears what each gives.

    Those that cannot be read are added to the plan's failures, and keep all documents that they gave before: a file's
    first document goes to the pipeline when its last one has been read.
    """
    remarks = []
    limits = Limits(seconds=OCR_SECONDS) if ocr else Limits()
    encoder, chunker = pipeline.encoder, chunker_name(settings)
    here = partial(split, encoder=encoder, settings=settings)
    elsewhere = partial(chunking, encoder, settings, pipeline.indexer.language)
    with ReadAhead(plan.to_index, here, elsewhere, limits, ocr) as readings:
        pipeline.on_failure = readings.give_up
        for reading in readings:
            file, source = reading.file, printable(reading.file.source)
            try:
                with tracing.span("ingest.read", rag_bytes=file.size):
                    contents = reading.documents()
                documents = described(plan, file, contents, chunker)
                plan.claims.take(file, [content.document for content in contents])
            except (UnreadableDocument, InvalidMetadata) as error:
                # The message begins with the name, which stands beside it already wherever failures are shown.
                plan.failed.append(LeftOut(source, str(error).removeprefix(source).lstrip(" :")))
                tally.leave_out(file.size)
                continue
            tally.expect(len(contents), contents[0].document.content_bytes)
            tell(file, documents)
            remarks += [f"{one.document.source}, {remark}" for one in contents if (remark := remark_on(one))]
            for stored, content in zip(documents, contents, strict=True):
                pipeline.add(stored, content.chunks or (), plan.twins.twin_of(stored), content.words)
    pipeline.finish()
    return remarks


def remark_on(content: Content) -> str:
    """What is to be said of a document: its reader's remark, or that nothing was found in a file that is no plain text."""
    document = content.document
    empty = document.converted and document.format not in PICTURES and not content.chunks
    return document.remark or (NO_TEXT if empty else "")


def described(plan: SyncPlan, file: FoundFile, contents: Sequence[Content], chunker: str) -> list[SourceDocument]:
    """The documents of a file as the store is to hold them, with the metadata that they are given."""
    given = plan.wishes.of(file, contents[0].document.content_hash)
    path, count = file.stored_path, len(contents)
    return [
        manifest_document(one.document, path, count, given if one.chunks else NO_METADATA, chunker) for one in contents
    ]


def unused_rules(plan: SyncPlan, acl: Acl | None) -> list[str]:
    """What a user should know of metadata and groups that were given to paths where no file is."""
    found = []
    for what, unused in (("metadata", plan.wishes.unused()), ("--acl", acl.unused() if acl is not None else [])):
        if unused:
            paths = f"1 path of {what} fits" if len(unused) == 1 else f"{len(unused)} paths of {what} fit"
            found.append(f"{paths} no file that was found: {', '.join(unused[:SHOWN_UNUSED])}")
    return found


def where_it_ended(pipeline: Pipeline, done: int, files: int) -> str:
    """What a person who has interrupted a run wants to know."""
    if pipeline.holds_back:
        return "nothing was changed, for new ranges are published with the last document"
    return f"{done} of {counted(files, 'file')} to read are in the store, and the same command continues from there"


def check_ocr(*, ocr: bool) -> None:
    """Raises UsageError where text is to be recognised and the extra for it is not installed."""
    from ingest.readers.pdf.recognise import can_recognise

    if ocr and not can_recognise():
        raise UsageError("--ocr needs the extra `ocr`: pip install 'int8-rag[ocr]'")


def check_recalibration(store: Store, *, recalibrate: bool) -> None:
    """Raises UsageError where ranges are to be fitted again and none are shared."""
    collection = store.collection()
    if recalibrate and collection and not collection.vector_quantizer.calibrated:
        raise UsageError(
            f"--recalibrate: in {store.client.location} each vector has a range of its own, so there is nothing to fit again"
        )


def chunking(encoder: Encoder, settings: ChunkSettings, language: str) -> Chunking:
    """How another process makes the same chunks as `split`, and their words."""
    return Chunking.by(encoder.tokenizer, *fitting(settings, encoder), language)
