"""JSON and JSON Lines in, a line `name: value` for each value out, and a block for each record.

A record is an object in a list of objects, or a line of JSON Lines. The file's own text would keep its offsets, but an
`ü` is often written `\\u00fc` in it and a line break `\\n`, which no search finds; so it is converted, and a citation gives
the line of the file. What is not JSON, as settings with comments are, is read as plain text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.document import Block
from ingest.readers.decode import decode_text
from ingest.readers.json_values import NotJson, values
from ingest.readers.paragraphs import MAX_BLOCKS, text_start
from ingest.readers.text import text_blocks
from rag.text.sentences import LINE_END, line_spans, trimmed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.document import Document
    from ingest.readers.json_values import Value
    from ingest.readers.raw_file import RawFile

LINES = (".jsonl", ".ndjson")
MAX_CHARACTERS = 50_000_000  # a longer text is read as plain text
_MAX_LINE = 400  # characters of a line to which another element of a list is added
_MAX_ELEMENT = 80
_PROSE = 300  # characters from which on a string is a text of its own, to be cut between sentences


def read(file: RawFile) -> Iterator[Document]:
    """The one document of a file: its values, or its text where it is no JSON."""
    text, encoding = decode_text(file.data, file.source)
    try:
        if len(text) > MAX_CHARACTERS:
            raise NotJson(f"it is longer than {MAX_CHARACTERS:,} characters", 0)
        writer = _lines_written(text) if file.suffix in LINES else _written(text)
    except NotJson as error:
        line = len(LINE_END.findall(text, 0, error.position)) + 1
        remark = f"read as plain text: it is no valid JSON (line {line}: {error})"
        yield file.document(text, text_blocks(text), encoding=encoding, remark=remark)
        return
    yield file.document(
        "".join(writer.texts),
        writer.blocks,
        encoding=encoding,
        converted=True,
        line_marks=tuple(writer.line_marks),
        remark=writer.remark,
    )


def _written(text: str) -> _Writer:
    writer = _Writer()
    line, counted = 1, 0
    for value in values(text, text_start(text), len(text)):
        line += len(LINE_END.findall(text, counted, value.position))
        counted = value.position
        writer.write(value, value.record, line)
    return writer.finished()


def _lines_written(text: str) -> _Writer:
    """Each line by itself, so that a broken one costs no other."""
    writer = _Writer()
    broken = []
    for number, span in enumerate(line_spans(text, text_start(text)), start=1):
        start, end = trimmed(text, *span)
        if start == end:
            continue
        line = text[start:end]
        try:
            found = list(values(line, 0, len(line)))
        except NotJson:
            broken.append(number)
            writer.write_prose(line.replace("\0", "\ufffd"), number)
            continue
        for value in found:
            writer.write(value, number, number)
    if broken and not writer.has_values:
        raise NotJson("no line of it is", 0)
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        writer.remark = f"line {broken[0]}{more} cannot be read as JSON and was taken as it is"
    return writer.finished()


class _Writer:
    """The text as it grows, with its blocks and the lines of the file."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.blocks: list[Block] = []
        self.line_marks: list[tuple[int, int]] = []
        self.remark = ""
        self.has_values = False
        self._length = 0
        self._start = -1  # of the block that is open
        self._record = -1
        self._line_start = 0  # of the line that is open, and what it is about
        self._path: str | None = None

    def write(self, value: Value, record: int, line: int) -> None:
        """Append a value, in a block with others of its record."""
        self.has_values = True
        text = value.text.strip()
        if len(text) > _PROSE:
            self.write_prose(f"{value.path}: {text}" if value.path else text, line)
            return
        is_element = value.is_next and value.path == self._path and record == self._record and self._start >= 0
        if is_element and len(text) <= _MAX_ELEMENT and self._length - self._line_start <= _MAX_LINE:
            self._append(f", {text}", line)
            return
        if record != self._record or self._start < 0 or len(self.blocks) > MAX_BLOCKS:
            self._begin(record)
        else:
            self._append("\n", line)
        self._line_start, self._path = self._length, value.path
        self._append(f"{value.path}: {text}".rstrip() if value.path else text or '""', line)

    def write_prose(self, text: str, line: int) -> None:
        """Append a text as a paragraph of its own."""
        self._begin(-1)
        start = self._length
        self._append(text, line)
        self.blocks.append(Block(start, self._length, "paragraph", ""))
        self._start = -1

    def finished(self) -> _Writer:
        """Itself, when nothing more comes."""
        self._end_block()
        return self

    def _begin(self, record: int) -> None:
        self._end_block()
        if self.texts:
            self.texts.append("\n\n")
            self._length += 2
        self._start, self._record, self._path = self._length, record, None

    def _end_block(self) -> None:
        if 0 <= self._start < self._length:
            self.blocks.append(Block(self._start, self._length, "rows", ""))
        self._start = -1

    def _append(self, text: str, line: int) -> None:
        if not self.line_marks or self.line_marks[-1][1] != line:
            offset = self._length + len(text) - len(text.lstrip("\n, "))
            self.line_marks.append((offset, line))
        self.texts.append(text)
        self._length += len(text)
