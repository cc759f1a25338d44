"""AsciiDoc in, its blocks out, as far as the first characters of a line and the fences of blocks tell.

The text is that of the file. Lines that say something of the block below them (`[source,java]`, `.Title`) begin it, but
for a table, which begins with its header; the fence of an example or a quote belongs to the block beside it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ingest.document import Block, HeadingPath, plain_heading
from ingest.readers.decode import decode_text
from ingest.readers.paragraphs import bounded, is_too_large, text_start
from ingest.readers.text import text_blocks
from rag.text.sentences import line_spans, trimmed
from sql.records.metadata import is_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile
    from sql.records.metadata import MetadataValue

_HEADING = re.compile(r"(={1,6}|#{1,6})[ \t]+(\S.*)")
_UNDERLINE = re.compile(r"(={3,}|-{3,}|~{3,}|\^{3,}|\+{3,})[ \t]*")
_UNDERLINES = "=-~^+"  # levels 1 to 5 of headings with a line below
_FENCE = re.compile(r"(-{4,}|\.{4,}|\+{4,}|/{4,}|={4,}|\*{4,}|_{4,}|--|`{3,}[\w+-]*|[|,:!]={3,})[ \t]*")
_KINDS = {
    "-": "code",
    ".": "code",
    "+": "html",
    "/": "html",
    "`": "code",
    "|": "table",
    ",": "table",
    ":": "table",
    "!": "table",
}
_ABOUT_NEXT = re.compile(r"\[[^\]\r\n]*\][ \t]*|\[\[[^\]\r\n]*\]\][ \t]*|\.[^\s.][^\r\n]*")
_ATTRIBUTE = re.compile(r":(!?[\w][\w-]{0,60}!?):(?:[ \t]+(.*))?")
_ITEM = re.compile(
    r"[ \t]*(?:\*{1,6}|-|\.{1,6}|\d{1,4}\.|[A-Za-z]\.|[ivxIVX]{1,6}\)|<(?:\d{1,3}|\.)>)[ \t]+\S"
    r"|[ \t]*\S[^\r\n]{0,200}?(?:::{1,3}|;;)(?:[ \t]|$)"  # a term and its meaning
)
_AUTHOR = re.compile(r"([^\W\d][^<>:;\r\n]{0,200}?)[ \t]*(?:<[^<>\r\n]{0,200}>)?")  # on the line below the title
_KEPT = ("author", "email", "revdate", "revnumber", "date", "lang", "keywords", "description")  # as metadata
_MAX_VALUE = 1000


class _Line(NamedTuple):
    """A line that is not blank, without the white space around it."""

    start: int
    end: int
    is_indented: bool
    after_blank: bool


def read(file: RawFile) -> Iterator[Document]:
    """The one document of a file of AsciiDoc."""
    text, encoding = decode_text(file.data, file.source)
    title, blocks = asciidoc_blocks(text)
    yield file.document(text, blocks, title=title, encoding=encoding, metadata=attributes(text, blocks))


def asciidoc_blocks(text: str) -> tuple[str, list[Block]]:
    """The title, which is the first heading of level 1 or else of any, and the blocks."""
    if is_too_large(text):
        return "", text_blocks(text)
    reader = _Reader(text)
    reader.read()
    title = next((title for level, title in reader.titles if level == 1), reader.titles[0][1] if reader.titles else "")
    return title, bounded(text, reader.blocks)


def attributes(text: str, blocks: list[Block]) -> dict[str, MetadataValue]:
    """What the header says of the document: its author, dates, keywords."""
    found: dict[str, MetadataValue] = {}
    for block in blocks:
        if block.kind not in ("front matter", "heading"):
            break
        for number, (start, end) in enumerate(line_spans(text, block.start, block.end)):
            if (
                block.kind == "front matter"
                and not number
                and (author := _AUTHOR.fullmatch(text, *trimmed(text, start, end)))
            ):
                found["author"] = author[1]
            entry = _ATTRIBUTE.match(text[start : min(end, start + _MAX_VALUE)].strip())
            if entry and entry[1] in _KEPT and is_name(entry[1]) and entry[2]:
                found[entry[1]] = entry[2].strip()
    return found


class _Reader:
    """Walks through the lines and gathers blocks."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.blocks: list[Block] = []
        self.titles: list[tuple[int, str]] = []
        self._path = HeadingPath()
        self._fence = ""  # that closes the block that is read as it is
        self._fenced_kind = ""
        self._open: list[str] = []  # fences of blocks that hold others
        self._start = self._end = -1  # of the block that is being read
        self._kind = ""
        self._about = -1  # where lines about the next block begin, and end
        self._about_end = -1

    def read(self) -> None:
        """Read all lines."""
        for line in self._lines():
            self._read_line(line)
        self._flush()
        self._flush_about()

    def _lines(self) -> Iterator[_Line]:
        after_blank = True
        for start, end in line_spans(self.text, text_start(self.text)):
            first, last = trimmed(self.text, start, end)
            if first < last:
                yield _Line(first, last, first > start, after_blank)
            after_blank = first == last

    def _read_line(self, line: _Line) -> None:
        text = self.text
        if self._fence:
            self._end = line.end
            if text.startswith(self._fence, line.start) and not text[line.start + len(self._fence) : line.end].strip():
                self._fence = ""
                self._flush()
            return
        if line.after_blank:
            self._flush()
        fence = None if line.is_indented else _FENCE.fullmatch(text, line.start, line.end)
        if fence and not self._is_underline(line):
            self._read_fence(line, fence[1])
        elif not line.is_indented and (
            heading := _HEADING.fullmatch(text, line.start, min(line.end, line.start + 500))
        ):
            self._flush()
            self._write_heading(line.start, line.end, len(heading[1]), heading[2].rstrip("= \t"))
        elif self._is_underline(line):
            start, self._start = self._start, -1
            self._write_heading(start, line.end, _UNDERLINES.index(text[line.start]) + 1, text[start : self._end])
        else:
            self._read_text(line)

    def _is_underline(self, line: _Line) -> bool:
        """Whether the line makes a heading of the one line above it, which is about as long."""
        if self._start < 0 or self._kind != "paragraph" or line.after_blank or line.is_indented:
            return False
        title = self.text[self._start : min(self._end, self._start + 300)]
        if "\n" in title or "\r" in title or not _UNDERLINE.fullmatch(self.text, line.start, line.end):
            return False
        return abs(self._end - self._start - (line.end - line.start)) <= 2 and any(map(str.isalnum, title))

    def _read_fence(self, line: _Line, fence: str) -> None:
        self._flush()
        kind = "" if fence == "--" else _KINDS.get(fence[0], "")
        if kind:
            if kind == "table":
                self._flush_about()
            self._fence = "`" * fence.count("`") if fence[0] == "`" else fence
            self._begin(line, kind)
        elif self._open and self._open[-1] == fence:
            self._open.pop()
            self._close(line)
        else:
            self._open.append(fence)
            self._add_about(line)

    def _close(self, line: _Line) -> None:
        """Give a closing fence to the block before it."""
        self._flush_about()
        if self.blocks:
            last = self.blocks[-1]
            self.blocks[-1] = Block(last.start, line.end, last.kind, last.heading)

    def _read_text(self, line: _Line) -> None:
        text = self.text
        if self._start < 0 and not line.is_indented and _ABOUT_NEXT.fullmatch(text, line.start, line.end):
            self._add_about(line)
            return
        is_attribute = _ATTRIBUTE.match(text, line.start, min(line.end, line.start + _MAX_VALUE)) is not None
        if is_attribute and (self._start < 0 or self._kind == "front matter"):
            self._go_on(line, "front matter")
        elif _ITEM.match(text, line.start, min(line.end, line.start + 300)):
            self._flush()
            self._begin(line, "list")
        elif line.is_indented and self._start < 0:
            self._begin(line, "code")
        elif self._start < 0:
            self._begin(line, self._kind_here(line))
        else:
            self._end = line.end

    def _kind_here(self, line: _Line) -> str:
        """What a line of text begins: right below the title it names authors and versions."""
        if len(self.blocks) == 1 and self.titles and self.titles[0][0] == 1 and not line.after_blank:
            return "front matter"
        return "quote" if self._open and self._open[-1][0] == "_" else "paragraph"

    def _go_on(self, line: _Line, kind: str) -> None:
        if self._start < 0:
            self._begin(line, kind)
        self._end = line.end

    def _begin(self, line: _Line, kind: str) -> None:
        self._start = self._about if self._about >= 0 else line.start
        self._end, self._kind, self._about = line.end, kind, -1

    def _add_about(self, line: _Line) -> None:
        self._about = self._about if self._about >= 0 else line.start
        self._about_end = line.end

    def _flush_about(self) -> None:
        if self._about >= 0:
            self.blocks.append(Block(self._about, self._about_end, "paragraph", self._path.path))
            self._about = -1

    def _flush(self) -> None:
        """End the block that is being read."""
        if self._start >= 0:
            self.blocks.append(Block(self._start, self._end, self._kind, self._path.path))
            self._start = -1

    def _write_heading(self, start: int, end: int, level: int, markup: str) -> None:
        title = plain_heading(markup)
        self.titles.append((level, title))
        start = self._about if self._about >= 0 else start
        self._about = -1
        self.blocks.append(Block(start, end, "heading", self._path.enter(level, title)))
