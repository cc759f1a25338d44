"""The documents of a file in, the paths that identify them in the store out; and back from the store to the file.

The document that is a whole file has the file's path. A part of a file has `path#part`; as no part's name holds a `#`, the
last one divides. A file may have such a name too, so what tells them apart is not the path but the chunker, whose name
says more of a part. With it stands how many documents the file gave, so that a later run sees without reading the file
whether they are all there, whether text could be recognised in pictures of it, and which names of its metadata the user has
given it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from ingest.chunk import chunker_name
from ingest.document import PART_MARK
from sql.base.paths import printable
from sql.records import SourceDocument
from sql.records.metadata import NO_METADATA

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ingest.document import Document
    from sql.records import LiveDocument
    from sql.records.metadata import MetadataValue

# A document that was cut by another chunker is cut anew. Encoders that read less than this get smaller chunks, but a
# store has one encoder for life, so the name need not say which.
CHUNKER = chunker_name()
# No chunker's own name holds a comma, nor one of metadata.
_PART, _ONE_OF, _PICTURES, _GIVEN = ", part", ", one of ", ", pictures unread", ", given "


def document_path(file_path: str, part: str) -> str:
    """The path of a document in the store: its file's, or `path#part`."""
    return f"{file_path}{PART_MARK}{part}" if part else file_path


def cut_name(
    part: str, count: int, given: Iterable[str] = (), *, has_pictures: bool = False, chunker: str = CHUNKER
) -> str:
    """How a document came to be: the chunker, whether it is a part, of how many documents of its file it is one, whether
    it has pictures whose text was not recognised, and the names of metadata that the user gave it.

    >>> cut_name("", 1, has_pictures=True), cut_name("3", 12, ["year", "team"])
    ('structure-10/200+30+headings, pictures unread', 'structure-10/200+30+headings, part, one of 12, given team year')
    """
    names = " ".join(sorted(given))
    cut = chunker + (_PART if part else "") + (f"{_ONE_OF}{count}" if count > 1 else "")
    return cut + (_PICTURES if has_pictures else "") + (_GIVEN + names if names else "")


def manifest_document(
    document: Document,
    file_path: str,
    count: int = 1,
    given: Mapping[str, MetadataValue] = NO_METADATA,
    chunker: str = CHUNKER,
) -> SourceDocument:
    """The manifest's view of a document that was read, one of `count` in the file at `file_path`, and cut by `chunker`.

    `given` is what the user says of it, which goes before what it says of itself. InvalidMetadata where that is too much.
    """
    return SourceDocument(
        path=document_path(file_path, document.part),
        source=document.source,
        title=printable(document.title),  # the name of a file may be its title, and need not be UTF-8
        format=document.format,
        encoding=document.encoding,
        content_sha256=document.content_hash,
        content_bytes=document.content_bytes,
        chunker=cut_name(document.part, count, given, has_pictures=document.unread_pictures > 0, chunker=chunker),
        extracted_text=document.text if document.converted else None,
        metadata={**document.metadata, **given},
        places=(*document.page_places(), *document.places),
    )


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What the store holds of one file: its document, or several. `source` is the path as it was given."""

    path: str
    source: str
    documents: tuple[LiveDocument, ...]

    def made_of(self, content_sha256: str, chunker: str) -> tuple[LiveDocument, ...]:
        """The documents of a file of this content, cut by this chunker; none where one is missing."""
        made = [one for one in self.documents if one.content_sha256 == content_sha256 and _cut(one).chunker == chunker]
        return tuple(made) if all(_cut(one).documents == len(made) for one in made) else ()

    def is_cut_by(self, chunker: str) -> bool:
        """Whether it can be unchanged at all, which its content then decides."""
        return any(_cut(one).chunker == chunker for one in self.documents)

    @property
    def has_unread_pictures(self) -> bool:
        """Whether it has pages whose text would be recognised if that were asked for."""
        return any(_cut(one).has_pictures for one in self.documents)


def parts_of(file: StoredFile) -> str:
    """The names of the parts that a file gave, "" for the document of its own path, with a `#` between two."""
    return PART_MARK.join(_end(one).removeprefix(PART_MARK) for one in file.documents)


def stored_files(documents: Iterable[LiveDocument]) -> dict[str, StoredFile]:
    """The documents of a store by the path of the file that each came from."""
    grouped: dict[str, list[LiveDocument]] = {}
    for document in documents:
        grouped.setdefault(document.path.removesuffix(_end(document)), []).append(document)
    return {
        path: StoredFile(path, some[0].source.removesuffix(_end(some[0])), tuple(some))
        for path, some in grouped.items()
    }


def content_number(document: LiveDocument | SourceDocument) -> int:
    """What two documents of the same content share: BLAKE2b-64 of it."""
    cut = _cut(document)
    part = document.path.rpartition(PART_MARK)[2] if cut.is_part else ""
    names = (document.content_sha256, document.format, cut.chunker, str(cut.documents), part)
    return int.from_bytes(blake2b("\0".join(names).encode(), digest_size=8).digest(), "little")


def _end(document: LiveDocument) -> str:
    """What a document's path and source end with beyond those of its file: `#part`, or nothing."""
    if not _cut(document).is_part:
        return ""
    _, mark, part = document.path.rpartition(PART_MARK)
    return mark + part if mark else ""


def given_names(document: LiveDocument) -> tuple[str, ...]:
    """Which names of a document's metadata the user gave it, in order."""
    return _cut(document).given


class Cut(NamedTuple):
    """What `cut_name` says of a document."""

    chunker: str
    is_part: bool
    documents: int
    has_pictures: bool
    given: tuple[str, ...]


def _cut(document: LiveDocument | SourceDocument) -> Cut:
    return _read_cut(document.chunker)


@lru_cache(maxsize=1000)  # thousands of documents have the same, and each is asked for several times
def _read_cut(name: str) -> Cut:
    head, _, names = name.partition(_GIVEN)
    bare = head.removesuffix(_PICTURES)
    has_pictures, head = bare != head, bare
    head, _, count = head.partition(_ONE_OF)
    chunker = head.removesuffix(_PART)
    return Cut(chunker, chunker != head, int(count) if count.isdecimal() else 1, has_pictures, tuple(names.split()))
