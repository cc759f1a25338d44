"""A file within a file in, such as an attachment; its documents out, as parts of the file that holds it.

Its own reader reads it, by its name or else its media type. It is cited as `mail.eml#plan.pdf`, and what it holds itself as
`mail.eml#forwarded.eml/plan.pdf`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from ingest.document import PART_MARK
from ingest.readers.raw_file import MAX_ENCLOSED_BYTES, RawFile
from ingest.readers.table import reader_of
from rag.text.sentences import LINE_END
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ingest.document import Document
    from ingest.readers.table import Reader

MAX_DEPTH = 6  # of files in files: a mailbox, its mail, one that was forwarded with it, and so on
_MAX_NAME = 120  # characters
_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN = "application/vnd.oasis.opendocument"
# Not the module mimetypes: it reads files of the system, which a reader in a process of its own may not.
_SUFFIXES = {
    "message/rfc822": ".eml",
    "text/plain": ".txt",
    "text/html": ".html",
    "application/xhtml+xml": ".xhtml",
    "text/markdown": ".md",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "text/rtf": ".rtf",
    "application/rtf": ".rtf",
    "application/json": ".json",
    "application/x-ipynb+json": ".ipynb",
    "application/mbox": ".mbox",
    "application/pdf": ".pdf",
    "application/epub+zip": ".epub",
    "application/vnd.ms-excel": ".xls",
    f"{_OFFICE}.spreadsheetml.sheet": ".xlsx",
    f"{_OFFICE}.wordprocessingml.document": ".docx",
    f"{_OFFICE}.presentationml.presentation": ".pptx",
    f"{_OPEN}.spreadsheet": ".ods",
    f"{_OPEN}.text": ".odt",
}
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")


class PartNames:
    """Names of parts of a file, each given once: `plan.pdf`, `plan-2.pdf`."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """The name without folders, control characters and `#`, numbered where it is taken."""
        plain = " ".join(_UNPRINTABLE.sub("", re.split(r"[/\\]", name)[-1]).split()) or "unnamed"
        path = PurePath(plain[-_MAX_NAME:].replace(PART_MARK, "%23"))
        found = path.name
        while found in self._taken:
            number = self._numbers[path.name] = self._numbers.get(path.name, 1) + 1
            found = f"{path.stem}-{number}{path.suffix}"
        self._taken.add(found)
        return found


def enclosed_documents(file: RawFile, name: str, part: str, data: bytes, media_type: str = "") -> list[Document]:
    """The documents of a file called `name` within another, where it is the part `part`; see PartNames.

    Raises UnreadableDocument, whose message begins with its source, where no reader reads it or its reader cannot, and
    where files are nested too deep or hold too much in all.
    """
    inner, reader = enclosed_file(file, name, part, data, media_type)
    return [_part_of(file, document, part) for document in reader.read(inner)]


def enclosed_file(file: RawFile, name: str, part: str, data: bytes, media_type: str = "") -> tuple[RawFile, Reader]:
    """A file within another, and its reader; UnreadableDocument as enclosed_documents raises it."""
    source = f"{file.source}{PART_MARK}{part}"
    reader = _reader(name, media_type)
    if reader is None:
        kind = (
            f"has the suffix {PurePath(name).suffix!r}" if PurePath(name).suffix else f"is of the type {media_type!r}"
        )
        raise UnreadableDocument(f"{source} {kind}, which this program does not read")
    if file.depth >= MAX_DEPTH:
        raise UnreadableDocument(f"{source} lies in {MAX_DEPTH} files, one inside the other: save it by itself")
    file.allowance.bytes_left -= len(data)
    if file.allowance.bytes_left < 0:
        raise UnreadableDocument(
            f"{source} is one file too many: those within a file may hold {MAX_ENCLOSED_BYTES:,} bytes in all"
        )
    return RawFile(name, source, reader.format, data, file.depth + 1, file.allowance, file.ocr), reader


def _reader(name: str, media_type: str) -> Reader | None:
    suffix = _SUFFIXES.get(media_type, "")
    return reader_of(PurePath(name)) or (reader_of(PurePath(f"a{suffix}")) if suffix else None)


def _part_of(file: RawFile, document: Document, part: str) -> Document:
    """A document as a part of the file that holds it; the lines are those of its own file."""
    name = f"{part}/{document.part}" if document.part else part
    changes: dict[str, Any] = {}
    if not document.converted:
        changes["line_marks"] = tuple(_line_marks(document.text))
    return replace(
        document,
        source=f"{file.source}{PART_MARK}{name}",
        part=name,
        converted=True,
        content_hash=file.content_hash,
        content_bytes=len(file.data),
        **changes,
    )


def _line_marks(text: str) -> Iterator[tuple[int, int]]:
    yield 0, 1
    for line, end in enumerate(LINE_END.finditer(text), start=2):
        yield end.end(), line
