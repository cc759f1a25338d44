"""Files, folders and evaluation corpora in, the passages that an encoder can learn from out: chunks as ingesting makes them.

A path that is named corpus.jsonl, or a folder that holds one, is read as a corpus in BEIR layout; its titles are headings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.box.ahead import ReadAhead
from ingest.chunk import DEFAULT, split_document
from ingest.corpus import corpus_document
from ingest.document import PATH_SEPARATOR
from ingest.walk import LeftOut, walk
from rag.evaluate.beir import CORPUS, read_corpus
from rag.train.pairs import Passage
from sql.base.errors import UnreadableDocument
from sql.base.paths import expand_user, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingest.document import Document
    from rag.text.tokenizer import Tokenizer
    from sql.records import Chunk

HEADINGS = 2  # how many of the innermost headings name a passage: the outer ones are the same for a whole file


@dataclass
class FoundPassages:
    """The passages of all documents in order, and the files that could not be read."""

    passages: list[Passage] = field(default_factory=list)
    failed: list[LeftOut] = field(default_factory=list)


def read_passages(paths: Sequence[str], tokenizer: Tokenizer) -> FoundPassages:
    """The passages below the given paths; raises RagError where one of them is missing or no such corpus."""
    found = FoundPassages()
    for path in paths:
        corpus = corpus_folder(expand_user(path, "PATH"))
        documents = corpus_documents(corpus) if corpus else file_documents(path, found)
        for document in documents:
            found.passages += passages_of(document, tokenizer)
    return found


def corpus_folder(path: Path) -> Path | None:
    """The folder in BEIR layout that a path means; None for other files and folders."""
    if path.name == CORPUS and path.is_file():
        return path.parent
    return path if (path / CORPUS).is_file() else None


def corpus_documents(folder: Path) -> Iterator[Document]:
    """The documents of a corpus in BEIR layout."""
    for entry in read_corpus(folder):
        yield corpus_document(entry)


def file_documents(path: str, found: FoundPassages) -> Iterator[Document]:
    """The documents in the files below a path; what cannot be read is noted and left out."""
    walked = walk([path])
    found.failed += walked.failed
    with ReadAhead(walked.files) as readings:
        for reading in readings:
            source = printable(reading.file.source)
            try:
                documents = reading.documents()
            except UnreadableDocument as error:
                found.failed.append(LeftOut(source, str(error).removeprefix(source).lstrip(" :")))
            else:
                yield from (content.document for content in documents)


def passages_of(document: Document, tokenizer: Tokenizer) -> list[Passage]:
    """The chunks of a document, each with the words of its headings and with its text without their lines."""
    limit = min(DEFAULT.size, tokenizer.max_text_tokens)
    chunks = split_document(document, tokenizer, limit, min(DEFAULT.overlap, limit // 4))
    return [Passage(chunk.text, heading_of(chunk, document), body_of(chunk, document)) for chunk in chunks]


def heading_of(chunk: Chunk, document: Document) -> str:
    """The innermost headings above a chunk; in a document without any its title, but not the name of its file."""
    if not chunk.heading:
        return "" if document.title == Path(document.source).stem else document.title
    return " ".join(chunk.heading.split(PATH_SEPARATOR)[-HEADINGS:])


def body_of(chunk: Chunk, document: Document) -> str:
    """A chunk's text without its headings and title: a passage that holds the words it is to be found by teaches nothing."""
    parts, start = [], chunk.start
    for block in document.blocks:
        if block.end <= chunk.start or block.start >= chunk.end:
            continue
        if block.kind == "heading" or document.text[block.start : block.end] == document.title:
            parts.append(document.text[start : max(start, block.start)])
            start = min(block.end, chunk.end)
    parts.append(document.text[start : chunk.end])
    return "".join(parts).strip()
