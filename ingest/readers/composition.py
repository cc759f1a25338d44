"""Pieces of a converted document in, one after another; its text, its blocks and the marks of its pages out.

List items and rows are lines, other blocks are divided by blank lines, as on a web page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.document import Block, HeadingPath, bounded_heading
from ingest.places import PageMark
from ingest.readers.html.notation import END, LOWERED, NOTE, RAISED, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile
    from sql.records.metadata import MetadataValue

MAX_INDENT = 8  # levels of a nested list that are shown
MAX_SPAN = 1000  # columns that a cell may take
MAX_REPEATED = 100  # characters of a cell that is repeated in each row it spans
_LOOK_BACK = 20  # pieces; a raised word that is cut into more runs is taken for two
_MAX_VALUE = 500  # characters of what a document says of itself
# Where a word may be divided, which nobody sees and no search should stumble over.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))
_TOGETHER = ("list", "code")  # kinds that follow each other on the next line


def visible(text: str) -> str:
    """Text without the characters that only say where a word may be divided."""
    return text.translate(_INVISIBLE)


def add_marked(pieces: list[str], mark: str, inner: list[str]) -> None:
    """Add a raised or lowered piece, as a part of the one that has just ended: words are cut into runs at will."""
    if not any(inner):
        return
    if pieces and pieces[-1] == END:
        before = (piece for piece in reversed(pieces[-_LOOK_BACK:-1]) if piece in (RAISED, LOWERED, NOTE, END))
        if next(before, "") == mark:
            pieces.pop()
            pieces += (*inner, END)
            return
    pieces += (mark, *inner, END)


class Composition:
    """What was read so far. Text may hold the marks of ingest/readers/html/notation.py; a line's mark is that of a page."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._length = 0
        self._path = HeadingPath()
        self._titles: list[tuple[int, str]] = []
        self.copies = Copies()
        self._next_page: tuple[int, str] | None = None
        self._next_line = 0
        self._line_marks: list[tuple[int, int]] = []
        self.blocks: list[Block] = []
        self.page_marks: list[PageMark] = []

    @property
    def title(self) -> str:
        """The first heading of the highest rank, or ""."""
        return min(self._titles, key=lambda ranked: ranked[0])[1] if self._titles else ""

    @property
    def length(self) -> int:
        """Characters written so far."""
        return self._length

    def heading(self, level: int, marked: str) -> None:
        """A heading; level 1 is that of a chapter, 0 that of the whole document."""
        title = bounded_heading(plain_text(marked).text)
        if title:
            self._titles.append((level, title))
            self._path.enter(level, title)
            self.write("heading", marked)

    def section(self, level: int, name: str) -> None:
        """A heading that the file itself does not have, such as `Notes`: no document is called so."""
        self._path.enter(level, name)
        self.write("heading", name)

    def enter(self, level: int, title: str) -> None:
        """Open a section whose heading is not a part of the text; "" only closes those of this level and below."""
        self._path.enter(level, bounded_heading(title))

    def item(self, depth: int, marked: str) -> None:
        """An item of a list with its marker, `depth` lists being around the list that it is in."""
        self.write("list", marked, "  " * min(max(depth, 0), MAX_INDENT - 1))

    def row(self, text: str, line: int, *, joins: bool) -> None:
        """A line of rows without a header, at this line of the file; it `joins` the block before, if that is such rows too."""
        last = self.blocks[-1] if self.blocks else None
        if last is None or not joins or (last.kind, last.heading) != ("rows", self._path.path):
            self.begin_line(line)
            self.write("rows", text)
            return
        self._line_marks.append((self._length + 1, line))
        self._texts += ("\n", text)
        self._length += 1 + len(text)
        self.blocks[-1] = Block(last.start, self._length, "rows", last.heading)

    def write(self, kind: str, marked: str, indent: str = "") -> None:
        """A block of any kind, if it has text."""
        plain = plain_text(marked)
        text = plain.text.strip()
        if not text:
            return
        lead = len(plain.text) - len(plain.text.lstrip())
        before = self.blocks[-1].kind if self.blocks else ""
        joined = "" if not before else "\n" if kind == before and kind in _TOGETHER else "\n\n"
        start = self._length + len(joined) + len(indent)
        self._begin_block(start)
        for offset, page in plain.lines:
            self.mark_page(start + max(offset - lead, 0), page)
        self.blocks.append(Block(start, start + len(text), kind, self._path.path))
        self._texts += (joined, indent, text)
        self._length = start + len(text)

    def begin_page(self, page: int, label: str = "") -> None:
        """The next block begins a page."""
        self._next_page = (page, label)

    def begin_line(self, line: int) -> None:
        """The next block begins at this line of the file; 0 where that is not known."""
        self._next_line = line

    def _begin_block(self, offset: int) -> None:
        if self._next_line:
            self._line_marks.append((offset, self._next_line))
            self._next_line = 0
        if self._next_page is not None:
            self.mark_page(offset, *self._next_page)
            self._next_page = None

    def mark_page(self, offset: int, page: int, label: str = "") -> None:
        """From this offset on the text is that of a page; text is yet to follow there."""
        if not self.page_marks or self.page_marks[-1].offset < offset:
            self.page_marks.append(PageMark(offset, page, label))

    def add(self, text: str, blocks: Iterable[Block], above: str = "") -> None:
        """Text that was divided before; its blocks without a path of headings get `above`."""
        if not text:
            return
        joined = "\n\n" if self.blocks else ""
        start = self._length + len(joined)
        self.blocks += (
            Block(start + block.start, start + block.end, block.kind, block.heading or above) for block in blocks
        )
        self._texts += (joined, text)
        self._length = start + len(text)

    def document(
        self, file: RawFile, title: str = "", metadata: Mapping[str, MetadataValue] | None = None, remark: str = ""
    ) -> Document:
        """The document of a file."""
        marks = self.page_marks
        while marks and marks[-1].offset >= self._length:  # pages without text
            marks = marks[:-1]
        return file.document(
            "".join(self._texts),
            self.blocks,
            title=bounded_heading(title) or self.title,
            converted=True,
            line_marks=tuple(self._line_marks),
            page_marks=marks,
            metadata=metadata or {},
            remark=remark,
        )


class Copies:
    """How many cells of a document may still be repeated: a bound for tables that are made to grow."""

    def __init__(self, left: int = 100_000) -> None:
        self._left = left

    def take(self, number: int) -> int:
        """As many of the copies that are asked for as there are."""
        taken = min(max(number, 0), self._left)
        self._left -= taken
        return taken


class Table:
    """Rows of cells in, one line a row out, in which what spans several columns or rows keeps its place in each.

    >>> table = Table(Copies())
    >>> table.row([Cell("Year", rows=2), Cell("Sales", columns=2), Cell("Notes")])
    >>> table.row([Cell("North"), Cell("South"), Cell("")])
    >>> print(table.text)
    Year | Sales | | Notes
    Year | North | South |
    """

    def __init__(self, copies: Copies) -> None:
        self._copies = copies
        self._rows: list[str] = []
        self._spans: dict[int, tuple[int, str]] = {}  # by column: rows below that a cell spans, and its text

    def row(self, cells: Sequence[Cell]) -> None:
        """The next row, without the cells that reach into it from above."""
        spans, self._spans = self._spans, {}
        shown: list[str] = []
        for cell in cells:
            self._repeat(spans, shown)
            text = " ".join(cell.text.split())
            if cell.rows > 1:
                self._spans[len(shown)] = (cell.rows - 1, plain_text(text).text)
            shown += [text, *[""] * self._copies.take(min(cell.columns, MAX_SPAN) - 1)]
        self._repeat(spans, shown)
        while shown and not shown[-1] and cells and cells[-1].columns > 1:
            shown.pop()
        if any(plain_text(text).text for text in shown):
            self._rows.append(" ".join(" | ".join(shown).split()))

    def _repeat(self, spans: dict[int, tuple[int, str]], shown: list[str]) -> None:
        while (column := len(shown)) in spans:
            rows, text = spans.pop(column)
            if not self._copies.take(1):
                return
            shown.append(text if len(text) <= MAX_REPEATED else "")
            if rows > 1:
                self._spans[column] = (rows - 1, text)

    @property
    def text(self) -> str:
        """All rows that hold text."""
        return "\n".join(self._rows)


class Cell:
    """A cell of a table and how many columns and rows it takes."""

    __slots__ = ("columns", "rows", "text")

    def __init__(self, text: str, columns: int = 1, rows: int = 1) -> None:
        self.text, self.columns, self.rows = text, columns, rows


def facts(**values: str) -> dict[str, MetadataValue]:
    """What a document says of itself, as metadata: each in one line and of bounded length, and none that is empty."""
    short = {name: " ".join(value.split())[:_MAX_VALUE] for name, value in values.items()}
    return {name: value for name, value in short.items() if value}


def listed(reasons: Iterable[str]) -> str:
    """Sentences about what was left out as one remark."""
    return "; ".join(dict.fromkeys(reasons))
