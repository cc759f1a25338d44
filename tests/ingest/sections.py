"""A real reader of several documents: a text whose sections are divided by form feeds, each under its first line.

A section whose first line is blank is the file itself. `cannot be read` ends the reading where it stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.readers.decode import decode_text
from ingest.readers.table import Reader
from ingest.readers.text import text_blocks
from rag.text.sentences import LINE_END
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile

SECTIONS = Reader("sections", "text in sections", __name__, (".sections",), boxed=False)


def read(file: RawFile) -> Iterator[Document]:
    """A document for each section."""
    text, encoding = decode_text(file.data, file.source)
    line = 1
    for section in text.split("\f") if text else ():
        name, _, body = section.partition("\n")
        if "cannot be read" in body:
            raise UnreadableDocument(f"{file.source} cannot be read from line {line} on")
        starts = [0, *(end.end() for end in LINE_END.finditer(body))]
        yield file.document(
            body,
            text_blocks(body),
            encoding=encoding,
            converted=True,
            line_marks=tuple((start, line + number) for number, start in enumerate(starts, start=1)),
            part=name.strip(),
        )
        line += section.count("\n")
