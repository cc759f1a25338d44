"""The documents of a file in, the paths that identify them in the store out; and back from the store to the file.

The document that is a whole file has the file's path. A part of a file has `path#part`; as no part's name holds a `#`, the
last one divides. A file may have such a name too, so what tells them apart is not the path but the chunker, whose name
says more of a part. With it stands how many documents the file gave, so that a later run sees without reading the file
whether they are all there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.chunk import chunker_name
from ingest.document import PART_MARK
from sql.base.paths import printable
from sql.records import SourceDocument

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from ingest.document import Document
    from sql.records import LiveDocument

# A document that was cut by another chunker is cut anew. Encoders that read less than this get smaller chunks, but a
# store has one encoder for life, so the name need not say which.
CHUNKER = chunker_name()
_PART, _ONE_OF = ", part", ", one of "  # no chunker's own name holds a comma


def document_path(file_path: str, part: str) -> str:
    """The path of a document in the store: its file's, or `path#part`."""
    return f"{file_path}{PART_MARK}{part}" if part else file_path


def cut_name(part: str, count: int) -> str:
    """How a document came to be: the chunker, whether it is a part, and of how many documents of its file it is one.

    >>> cut_name("", 1), cut_name("3", 12)
    ('structure-4/200+30', 'structure-4/200+30, part, one of 12')
    """
    return CHUNKER + (_PART if part else "") + (f"{_ONE_OF}{count}" if count > 1 else "")


def manifest_document(document: Document, file_path: str, count: int = 1) -> SourceDocument:
    """The manifest's view of a document that was read, one of `count` in the file at `file_path`."""
    return SourceDocument(
        path=document_path(file_path, document.part),
        source=document.source,
        title=printable(document.title),  # the name of a file may be its title, and need not be UTF-8
        format=document.format,
        encoding=document.encoding,
        content_sha256=document.content_hash,
        content_bytes=document.content_bytes,
        chunker=cut_name(document.part, count),
        extracted_text=document.text if document.converted else None,
        metadata=document.metadata,
        places=(*document.page_places(), *document.places),
    )


@dataclass(frozen=True)
class StoredFile:
    """What the store holds of one file: its document, or several. `source` is the path as it was given."""

    path: str
    source: str
    documents: tuple[LiveDocument, ...]

    def made_of(self, content_sha256: str) -> tuple[LiveDocument, ...]:
        """The documents of a file of this content, cut as today; none where one is missing."""
        made = [one for one in self.documents if one.content_sha256 == content_sha256 and _cut(one)[0] == CHUNKER]
        return tuple(made) if all(_cut(one)[2] == len(made) for one in made) else ()

    @property
    def is_cut_as_today(self) -> bool:
        """Whether it can be unchanged at all, which its content then decides."""
        return any(_cut(one)[0] == CHUNKER for one in self.documents)


def stored_files(documents: Iterable[LiveDocument]) -> dict[str, StoredFile]:
    """The documents of a store by the path of the file that each came from."""
    grouped: dict[str, list[LiveDocument]] = {}
    for document in documents:
        grouped.setdefault(document.path.removesuffix(_end(document)), []).append(document)
    return {
        path: StoredFile(path, some[0].source.removesuffix(_end(some[0])), tuple(some))
        for path, some in grouped.items()
    }


class Twins:
    """Documents by their content, each format, cut and part of a file apart: one that was moved or copied has a twin."""

    def __init__(self, documents: Iterable[LiveDocument] = ()) -> None:
        self._known = {_content(one): one.document_id for one in documents}

    def twin_of(self, document: SourceDocument) -> UUID | None:
        """A document of the same content, None where there is none; from now on this one is such a document too."""
        known = self._known.setdefault(_content(document), document.document_id)
        return known if known != document.document_id else None


def _content(document: LiveDocument | SourceDocument) -> tuple[str, ...]:
    """What two documents of the same content share."""
    part = document.path.rpartition(PART_MARK)[2] if _PART in document.chunker else ""
    return document.content_sha256, document.format, document.chunker, part


def _end(document: LiveDocument) -> str:
    """What a document's path and source end with beyond those of its file: `#part`, or nothing."""
    _, is_part, _ = _cut(document)
    _, mark, part = document.path.rpartition(PART_MARK)
    return mark + part if is_part and mark else ""


def _cut(document: LiveDocument) -> tuple[str, bool, int]:
    """The chunker of a stored document, whether it is a part, and how many documents its file gave: see `cut_name`."""
    head, _, count = document.chunker.partition(_ONE_OF)
    chunker = head.removesuffix(_PART)
    return chunker, chunker != head, int(count) if count.isdecimal() else 1
