"""An evaluation corpus in, a store that holds it out: each corpus line, title then text, is a document."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from ingest.chunk import chunker_name
from ingest.cutting import AS_BEFORE, ChunkOptions, chosen_settings, split
from ingest.document import Document
from ingest.identity import manifest_document
from ingest.readers.text import text_blocks
from rag.index.indexer import Indexer
from rag.index.pipeline import Pipeline
from sql.base.terminal import Silence

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rag.evaluate.beir import CorpusDocument
    from rag.library import Library
    from sql.base.terminal import Progress


def index_corpus(
    library: Library,
    folder: Path,
    corpus: Iterable[CorpusDocument],
    progress: Progress | None = None,
    *,
    keep_floats: int = 0,
    chunks: ChunkOptions = AS_BEFORE,
) -> None:
    """Puts the documents into a store that is prepared, under their ids as sources; what is there unchanged is left alone.

    `keep_floats` N also keeps the float32 vector of one chunk in N; `chunks` is how documents are cut.
    """
    store, encoder = library.store, library.document_encoder()
    now = store.snapshot()
    known = {document.path: (document.content_sha256, document.chunker) for document in now.documents()}
    settings = chosen_settings(chunks, now.chunk_settings(), encoder)
    chunker = chunker_name(settings)
    indexer = Indexer(store, encoder.identity, library.language)
    pipeline = Pipeline(indexer, encoder, progress or Silence(), keep_floats)
    with pipeline:
        for entry in corpus:
            document = corpus_document(entry)
            path = f"{folder.resolve()}#{entry.id}"
            if known.get(path) != (document.content_hash, chunker):
                pipeline.add(manifest_document(document, path, chunker=chunker), split(document, encoder, settings))
        pipeline.finish()


def corpus_document(entry: CorpusDocument) -> Document:
    """A corpus line as the document a text file with the same words would be."""
    text = f"{entry.title}\n\n{entry.text}" if entry.title else entry.text
    content = text.encode("utf-8", "replace")
    text = content.decode()
    return Document(
        source=entry.id,
        format="text",
        title=entry.title,
        text=text,
        blocks=tuple(text_blocks(text)),
        encoding="utf-8",
        content_hash=sha256(content).hexdigest(),
        content_bytes=len(content),
    )
