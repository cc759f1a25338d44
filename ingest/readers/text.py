"""Plain text in, its paragraphs out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.document import Block
from ingest.readers.decode import decode_text
from ingest.readers.paragraphs import bounded, paragraphs, text_start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile


def read(file: RawFile) -> Iterator[Document]:
    """The one document of a text file."""
    text, encoding = decode_text(file.data, file.source)
    yield file.document(text, text_blocks(text), encoding=encoding)


def text_blocks(text: str) -> list[Block]:
    """Plain text: a paragraph is what blank lines enclose."""
    blocks = (Block(start, end, "paragraph", "") for start, end in paragraphs(text, text_start(text), len(text)))
    return bounded(text, blocks)
