"""The markup of a web page in, its readable text out, with the line of the file for every piece of it.

What is shown is read, in the order of the file: elements.py says for each element how. Nothing a page refers to is ever
fetched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest.document import BYTE_ORDER_MARK, Block, HeadingPath, bounded_heading
from ingest.readers.decode import declared_charset, decode_text
from ingest.readers.html.elements import kind_of, unescaped, value_of, whole_number
from ingest.readers.html.events import Kind
from ingest.readers.html.lists import LIST_NAMES, OpenList, list_lengths, numeral, opened_list, style_of_numbers
from ingest.readers.html.markup import read_markup
from ingest.readers.html.mathml import STACKED, Formula
from ingest.readers.html.notation import (
    END,
    LINE_BREAK,
    LOWERED,
    NOTE,
    RAISED,
    TURNED,
    collapsed,
    line_mark,
    plain_text,
)
from ingest.readers.html.vocabulary import MATH, names
from rag.text.sentences import LINE_END

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ingest.document import Document
    from ingest.readers.html.events import Element, Event
    from ingest.readers.raw_file import RawFile

_QUOTATION_MARKS = (("“", "”"), ("‘", "’"))
_HEADING_LEVELS = {f"h{level}": level for level in range(1, 7)}
_CELL_NAMES = names("td th")
_ROW_GROUPS = names("table thead tbody tfoot")
_PRE_NAMES = names("pre listing xmp plaintext")
# In a cell these are only a space; a heading or a list in a cell says that the table lays out the page.
_INSIDE_CELL = names("address center div dl dt dd figcaption figure form p section")
_OF_DEFINITION = names("dt dd p div")  # the beginning of what defines a term
_SHOWN_FIELDS = names("text search url tel email number date time month week datetime-local submit reset button")
_MAX_INDENT = 8  # levels of a nested list that are shown
_MAX_MARKS = 8  # raised and lowered pieces inside each other
_MAX_REPEATED = 100  # characters of a cell that is repeated in each row it spans
_MAX_SPAN = 1000  # the standard's limit of colspan
_MAX_SPANNING = 20  # cells of a row that reach into the rows below

# Where a line may end or a word be divided, which nobody sees and no search should stumble over.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))
_NOTE_HINT = re.compile(r"noteref|footnote|endnote|\breference\b|cite_ref|fnref", re.IGNORECASE)
_NOTE_LINK = re.compile(r"noteref|footnote-ref", re.IGNORECASE)
_NO_LINE = re.compile(r"\s*\+?0*\.?0+(?:[a-z%]{0,4})\s*\Z", re.IGNORECASE)  # the thickness of a fraction's line


@dataclass(frozen=True)
class Page:
    """What is read on a web page; `line_marks` pairs an offset of `text` with the line of the markup it came from."""

    title: str
    text: str
    blocks: tuple[Block, ...]
    line_marks: tuple[tuple[int, int], ...]


@dataclass
class _Row:
    """The row of a table that is being read: for each cell its first piece, its columns and its rows."""

    cells: list[tuple[int, int, int]] = field(default_factory=list)
    in_cell: bool = False


def read(file: RawFile) -> Iterator[Document]:
    """The one document of a web page: its readable text."""
    markup, encoding = decode_text(file.data, file.source, declared_charset(file.data))
    page = extract_html(markup)
    yield file.document(
        page.text, page.blocks, title=page.title, encoding=encoding, converted=True, line_marks=page.line_marks
    )


def extract_html(markup: str) -> Page:
    """The readable text of a page: paragraphs, list items and rows, headings and preformatted text as blocks.

    Scripts, styles, templates, hidden and deleted elements and form choices are left out; the description of an image
    (`alt`) is text. Rows and list items are lines, cells are divided by ` | `, other blocks by blank lines. A term is the first
    line of the block that defines it.
    """
    # a browser reads a NUL as U+FFFD too; from here on it can only be one of our own marks
    text = markup.removeprefix(BYTE_ORDER_MARK).replace("\0", "\ufffd")
    return _PageReader(LINE_END.sub("\n", text)).page()


class _PageReader:
    """Walks through the events of a page and gathers its blocks."""

    def __init__(self, markup: str) -> None:
        self.markup = markup
        self.texts: list[str] = []
        self.blocks: list[Block] = []
        self.line_marks: list[tuple[int, int]] = []
        self.length = 0  # characters of all texts
        self.title = self.first_heading = self.main_heading = ""
        self.path = HeadingPath()
        self.pieces: list[str] = []  # of the block that is being read
        self.term_end = -1  # of the pieces, the first behind a term that nothing has defined yet
        self.line, self.counted = 1, 0  # the line of the position `counted`
        self.marked_line = 0  # the line that was marked last in this block
        self.omitted = 0  # how many of the open elements are left out
        self.heading_level = self.quote_depth = self.quotations = 0
        self.mark_depth = 0  # how many raised, lowered or turned pieces are open
        self.raised_at = self.link_at = -1  # the pieces that open one, or a link to another place of the page
        self.in_pre = False
        self.lists: list[OpenList] = []
        self.marker = ""  # of the list item that is being read
        self.list_lengths = list_lengths(markup)
        self.row: _Row | None = None
        self.layouts: list[bool] = []  # for each open row, whether its table lays out the page
        self.spans: dict[int, tuple[int, str]] = {}  # by column: rows below that a cell spans, and its text
        self.copies_left = len(markup)  # characters that may be repeated: a bound for pages that are made to grow
        self.formula: Formula | None = None
        self.after_formula = False

    def page(self) -> Page:
        """Everything that is read."""
        for event in read_markup(self.markup):
            if event.kind is Kind.TEXT:
                self._read_text(event)
            elif event.kind is Kind.START:
                self._read_start(event.element)
            else:
                self._read_end(event.element)
        self._flush()
        title = self.title or self.main_heading or self.first_heading
        return Page(title, "".join(self.texts), tuple(self.blocks), tuple(self.line_marks))

    # Text

    def _read_text(self, event: Event) -> None:
        if event.element.effect == "title" and not self.omitted:
            self.title = self.title or bounded_heading(unescaped(event.text))
        elif self.omitted:
            return
        elif self.formula is not None:
            if not self.formula.has_text:
                first = len(event.text) - len(event.text.lstrip())
                self.pieces.append(self._line_mark(event.position + first) if event.text.strip() else "")
            self.formula.text(event.text if event.is_raw else unescaped(event.text))
        else:
            if event.in_table and self.row is not None and not event.text.isspace():
                self._flush()  # text between the cells belongs to none of them
            self._add(event.text, event.position, is_raw=event.is_raw)

    def _add(self, source: str, position: int, *, is_raw: bool = False) -> None:
        """Append a text of the file to the block that is being read, with marks for its lines."""
        parts: list[str] = []
        for line in source.split("\n"):
            text = line if is_raw else unescaped(line)
            first = len(text) - len(text.lstrip())
            if first < len(text):
                if self.after_formula and not parts and text[0].isalnum():
                    parts.append(" ")
                self.after_formula = False
                first = 0 if self.in_pre else first  # the spaces at the beginning of a line of code belong to it
                text = text[:first] + self._line_mark(position) + text[first:].translate(_INVISIBLE)
            parts.append(text)
            position += len(line) + 1
        self.pieces.append("\n".join(parts))

    def _line_mark(self, position: int) -> str:
        """The mark of the line that holds a position of the markup, or "" where the last mark says it."""
        if position > self.counted:
            self.line += self.markup.count("\n", self.counted, position)
            self.counted = position
        if self.line == self.marked_line:
            return ""
        self.marked_line = self.line
        return line_mark(self.line)

    # Elements

    def _read_start(self, element: Element) -> None:
        if element.space == MATH and self.formula is not None and not self.omitted:
            element.effect = "part of a formula"
            is_stacked = element.name == "mfrac" and _NO_LINE.match(value_of(element, "linethickness"))
            self.formula.start(STACKED if is_stacked else element.name)
            return
        kind = kind_of(element)
        if kind == "omitted":
            element.effect = kind
            self.omitted += 1
        elif kind and not self.omitted:
            element.effect = kind
            _STARTS[kind](self, element)

    def _read_end(self, element: Element) -> None:
        if element.effect == "omitted":
            self.omitted -= 1
        elif element.effect == "part of a formula":
            if self.formula is not None:
                self.formula.end()
        elif isinstance(element.effect, str) and element.effect in _ENDS:
            _ENDS[element.effect](self, element)

    def _nothing(self, element: Element) -> None:
        """What has no start of its own."""

    def _break_line(self, element: Element) -> None:  # noqa: ARG002 - all of _STARTS are called alike
        if self.formula is None:
            self.pieces.append(" " if self.row is not None and self.row.in_cell and not self.in_pre else LINE_BREAK)

    def _read_rule(self, element: Element) -> None:  # noqa: ARG002
        if not self.in_pre:
            self._flush()

    def _read_image(self, element: Element) -> None:
        self._add_shown(value_of(element, "alt"), element)

    def _read_field(self, element: Element) -> None:
        kind = value_of(element, "type").strip().lower() or "text"
        if kind in _SHOWN_FIELDS:
            self._add_shown(value_of(element, "value"), element)
        elif kind == "image":
            self._read_image(element)

    def _add_shown(self, text: str, element: Element) -> None:
        """Append what a tag shows by an attribute."""
        if not text.strip():
            return
        if self.formula is not None:
            self.formula.text(text)
        else:
            self.pieces.append(f" {self._line_mark(element.position)}{text.strip().translate(_INVISIBLE)} ")

    # Phrasing that changes its text

    def _open_mark(self, element: Element, mark: str) -> None:
        if self.formula is not None or self.mark_depth >= _MAX_MARKS:
            element.effect = None
            if self.formula is not None and mark in _SIGN_IN_FORMULA:
                self.formula.text(_SIGN_IN_FORMULA[mark])
            return
        self.mark_depth += 1
        self.pieces.append(mark)

    def _close_mark(self, element: Element) -> None:  # noqa: ARG002
        self.mark_depth -= 1
        self.raised_at = -1
        self.pieces.append(END)

    def _open_raised(self, element: Element) -> None:
        is_note = self.link_at == len(self.pieces) or _NOTE_HINT.search(element.attributes) is not None
        self.raised_at = len(self.pieces)
        self._open_mark(element, NOTE if is_note else RAISED)

    def _open_lowered(self, element: Element) -> None:
        self._open_mark(element, LOWERED)

    def _open_turned(self, element: Element) -> None:
        if value_of(element, "dir").strip().lower() == "rtl":
            self._open_mark(element, TURNED)
        else:
            element.effect = None

    def _open_link(self, element: Element) -> None:
        """A link to another place of a page, with nothing but a raised mark or in one, is the mark of a note."""
        is_note = _NOTE_LINK.search(element.attributes) is not None
        element.effect = None
        if self.mark_depth:
            if self.raised_at >= 0 and (is_note or "#" in value_of(element, "href")):
                self.pieces[self.raised_at] = NOTE
        elif is_note:
            element.effect = "raised"
            self._open_mark(element, NOTE)
        elif value_of(element, "href").startswith("#"):
            self.link_at = len(self.pieces)

    def _open_quotation(self, element: Element) -> None:  # noqa: ARG002
        self.pieces.append(_QUOTATION_MARKS[self.quotations % 2][0])
        self.quotations += 1

    def _close_quotation(self, element: Element) -> None:  # noqa: ARG002
        self.quotations -= 1
        self.pieces.append(_QUOTATION_MARKS[self.quotations % 2][1])

    def _open_annotation(self, element: Element) -> None:  # noqa: ARG002
        self.pieces.append("(")

    def _close_annotation(self, element: Element) -> None:  # noqa: ARG002
        if self.pieces and self.pieces[-1] == "(":
            self.pieces.pop()
        else:
            self.pieces.append(")")

    def _open_formula(self, element: Element) -> None:
        if value_of(element, "display").lower() == "block":
            self._break_line(element)
        self.formula = Formula()

    def _close_formula(self, element: Element) -> None:
        if self.formula is None:
            return
        text, self.formula = self.formula.line(), None
        before = next((piece[-1] for piece in reversed(self.pieces[-3:]) if piece and not piece.endswith(";")), "")
        if text and text[0].isalnum() and before.isalnum():
            self.pieces.append(" ")
        self.pieces.append(text)
        self.after_formula = bool(text) and text[-1].isalnum()
        if value_of(element, "display").lower() == "block":
            self._break_line(element)

    # Blocks

    def _begin_block(self, element: Element) -> None:
        name = element.name
        if self.in_pre:
            element.effect = "line"
            self._begin_line(element)
        elif name in _CELL_NAMES:
            self._begin_cell(element)
        elif self.row is not None and self.row.in_cell and name in _INSIDE_CELL:
            element.effect = "phrase"
            self.pieces.append(" ")
        else:
            if self.layouts and (self.row is None or self.row.in_cell):
                self.layouts[-1] = True
            if not self._defines(name):
                self._flush()
            self._enter_block(element)

    def _defines(self, name: str) -> bool:
        """Whether a block begins what defines the term above it: the two are one block, the term its first line."""
        return (
            self.term_end >= 0
            and name in _OF_DEFINITION
            and not any(piece.strip() for piece in self.pieces[self.term_end :])
        )

    def _begin_line(self, element: Element) -> None:  # noqa: ARG002
        """A block in preformatted text begins and ends a line."""
        if self.pieces and not self.pieces[-1].endswith(("\n", LINE_BREAK)):
            self.pieces.append(LINE_BREAK)

    def _end_phrase(self, element: Element) -> None:  # noqa: ARG002
        self.pieces.append(" ")

    def _enter_block(self, element: Element) -> None:
        name = element.name
        if name == "tr":
            self.row = _Row()
            self.layouts.append(False)
        elif name in _ROW_GROUPS:
            self.spans = {}
        elif name in _PRE_NAMES:
            self.in_pre = True
        elif name in _HEADING_LEVELS:
            self.heading_level = _HEADING_LEVELS[name]
        elif name in LIST_NAMES:
            self.lists.append(opened_list(element, self.list_lengths))
        elif name == "li":
            self.marker = self._item_marker(element)
        elif name == "blockquote":
            self.quote_depth += 1

    def _end_block(self, element: Element) -> None:
        name = element.name
        if name in _CELL_NAMES and self.row is not None:
            self.row.in_cell = False
            return
        if name == "dt" and self.row is None and any(piece.strip() for piece in self.pieces):
            self.pieces.append(LINE_BREAK)
            self.term_end = len(self.pieces)
            return
        self._flush()
        if name == "tr":
            self.layouts.pop()
        elif name in _ROW_GROUPS:
            self.spans = {}
        elif name in _PRE_NAMES:
            self.in_pre = False
        elif name in _HEADING_LEVELS:
            self.heading_level = 0
        elif name in LIST_NAMES:
            self.lists.pop()
        elif name == "blockquote":
            self.quote_depth -= 1

    def _item_marker(self, element: Element) -> str:
        """What stands before a list item: its number, or a dash."""
        indent = "  " * (min(max(len(self.lists), 1), _MAX_INDENT) - 1)
        if not self.lists or not self.lists[-1].step:
            return f"{indent}- "
        of = self.lists[-1]
        of.number = whole_number(value_of(element, "value"), of.number)
        marker = numeral(of.number, style_of_numbers(element) or of.style)
        of.number += of.step
        return f"{indent}{marker} "

    # Tables

    def _begin_cell(self, element: Element) -> None:
        if self.row is None:
            self._flush()
            if not self.layouts or self.layouts[-1]:
                return
            self.row = _Row()
        columns = min(max(whole_number(value_of(element, "colspan"), 1), 1), _MAX_SPAN)
        rows = whole_number(value_of(element, "rowspan"), 1) or _MAX_SPAN
        self.row.cells.append((len(self.pieces), columns, rows))
        self.row.in_cell = True

    def _row_text(self, row: _Row) -> str:
        """The marked text of a row: what spans several columns or rows keeps its place in each."""
        ends = [start for start, _, _ in row.cells[1:]] + [len(self.pieces)]
        texts = [collapsed("".join(self.pieces[cell[0] : end])) for cell, end in zip(row.cells, ends, strict=True)]
        if not any(plain_text(text).text.strip() for text in texts):
            return ""
        shown: list[str] = []
        spans, self.spans = self.spans, {}
        for text, (_, columns, rows) in zip(texts, row.cells, strict=True):
            self._repeat(spans, shown)
            if rows > 1 and len(self.spans) < _MAX_SPANNING:
                self.spans[len(shown)] = (rows - 1, plain_text(text).text)
            shown.append(text)
            extra = min(columns - 1, self.copies_left)
            self.copies_left -= extra
            shown += [""] * extra
        self._repeat(spans, shown)
        if row.cells[-1][1] > 1:
            while not shown[-1]:
                shown.pop()
        return " ".join(" | ".join(shown).split())

    def _repeat(self, spans: dict[int, tuple[int, str]], shown: list[str]) -> None:
        """Append the cells that reach into this row from above and stand at its next columns."""
        while (column := len(shown)) in spans:
            rows, text = spans.pop(column)
            if len(text) + len(" | ") > self.copies_left:
                return
            if len(text) > _MAX_REPEATED:
                text = ""
            self.copies_left -= len(text) + len(" | ")
            shown.append(text)
            if rows > 1:
                self.spans[column] = (rows - 1, text)

    # Writing

    def _flush(self) -> None:
        """End the block that is being read, if it holds text."""
        if not self.pieces and self.row is None:
            if self._kind() != "list":
                self.marker = ""
            return
        if self.row is not None:
            marked = self._row_text(self.row) if self.row.cells else ""
        else:
            marked = "".join(self.pieces)
            marked = _verbatim(marked) if self.in_pre else collapsed(marked)
        text, lines = plain_text(marked)
        kind = self._kind()
        is_text = bool(text) and not text.isspace() and not (kind == "table" and not text.strip(" |"))
        if is_text:
            if kind == "heading":
                self._enter_heading(text)
            self._write(text, kind, lines)
        if is_text or kind != "list":
            self.marker = ""
        self.pieces, self.row, self.marked_line, self.after_formula = [], None, 0, False
        self.term_end = -1
        self.raised_at = self.link_at = -1

    def _kind(self) -> str:
        if self.in_pre:
            return "code"
        if self.heading_level:
            return "heading"
        if self.row is not None:
            return "table"
        if self.marker or self.lists:
            return "list"
        return "quote" if self.quote_depth else "paragraph"

    def _enter_heading(self, text: str) -> None:
        heading = bounded_heading(text)
        self.path.enter(self.heading_level, heading)
        self.first_heading = self.first_heading or heading
        if self.heading_level == 1:
            self.main_heading = self.main_heading or heading

    def _write(self, text: str, kind: str, lines: list[tuple[int, int]]) -> None:
        """Append a block, and the lines of the file it came from."""
        if self.blocks:
            joined = "\n" if kind == self.blocks[-1].kind and kind in ("list", "table") else "\n\n"
            self.texts.append(joined)
            self.length += len(joined)
        written = self.marker + text
        lead = len(written) - len(written.lstrip())
        first_line = lines[0][1] if lines else self.line
        self.line_marks.append((self.length, first_line))
        start = self.length + len(self.marker)
        self.line_marks += [(start + offset, line) for offset, line in lines[1:]]
        self.blocks.append(Block(self.length + lead, self.length + len(written), kind, self.path.path))
        self.texts.append(written)
        self.length += len(written)


_SIGN_IN_FORMULA = {RAISED: "^", NOTE: "^", LOWERED: "_"}
_STARTS: dict[str, Callable[[_PageReader, Element], None]] = {
    "block": _PageReader._begin_block,
    "break": _PageReader._break_line,
    "rule": _PageReader._read_rule,
    "image": _PageReader._read_image,
    "field": _PageReader._read_field,
    "title": _PageReader._nothing,
    "raised": _PageReader._open_raised,
    "lowered": _PageReader._open_lowered,
    "turned": _PageReader._open_turned,
    "link": _PageReader._open_link,
    "quoted": _PageReader._open_quotation,
    "annotated": _PageReader._open_annotation,
    "formula": _PageReader._open_formula,
}
_ENDS: dict[str, Callable[[_PageReader, Element], None]] = {
    "block": _PageReader._end_block,
    "line": _PageReader._begin_line,
    "phrase": _PageReader._end_phrase,
    "raised": _PageReader._close_mark,
    "lowered": _PageReader._close_mark,
    "turned": _PageReader._close_mark,
    "quoted": _PageReader._close_quotation,
    "annotated": _PageReader._close_annotation,
    "formula": _PageReader._close_formula,
}


def _verbatim(text: str) -> str:
    """Preformatted text without the empty lines around it."""
    text = text.replace(LINE_BREAK, "\n").rstrip()
    first = len(text) - len(text.lstrip())
    return text[text.rfind("\n", 0, first) + 1 :]
