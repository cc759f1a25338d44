"""Files in, documents out: a reader for each format, chosen by the file's name before a byte of it is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.readers.raw_file import OpenFolder, RawFile, file_bytes
from ingest.readers.table import reader_of
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingest.document import Document
    from ingest.readers.table import Reader

__all__ = ["OpenFolder", "documents_of", "file_bytes", "opened_file", "read_documents", "reader_of"]


def read_documents(path: Path, source: str, root: Path | None = None) -> list[Document]:
    """The documents in a file, in order; `source` is the name it is shown and cited by.

    A file without text is a document without blocks. UnreadableDocument says in a sentence why a file is not what its
    name promises, is too large, or cannot be opened; then none of its documents is known. No symbolic link is followed
    at the end of `path` nor anywhere below `root`, the folder that the file was found below; where links may be followed
    is decided before, by whoever walks folders.
    """
    return list(documents_of(*opened_file(path, source, root)))


def opened_file(path: Path, source: str, root: Path | None = None, *, ocr: bool = False) -> tuple[RawFile, Reader]:
    """The bytes of a file, opened here, and the reader of its format; UnreadableDocument as `read_documents` raises it."""
    reader = reader_of(path)
    if reader is None:
        raise UnreadableDocument(f"{source} has the suffix {path.suffix!r}, which this program does not read")
    return RawFile(path.name, source, reader.format, file_bytes(path, source, root), ocr=ocr), reader


def documents_of(file: RawFile, reader: Reader) -> Iterator[Document]:
    """The documents in the bytes of a file, in order, at least one; UnreadableDocument as `read_documents` raises it."""
    parts: set[str] = set()
    for document in reader.read(file):
        if document.part in parts:
            raise UnreadableDocument(f"{file.source} holds more than one document that is called {document.part!r}")
        parts.add(document.part)
        yield document
    if not parts:
        yield file.document("", ())
