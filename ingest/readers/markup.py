"""An XML document of any kind in, its text by elements out.

No vocabulary is known as a whole, but some names mean the same in DocBook, DITA, TEI, JATS and HTML: what is called `title`,
`head` or the like is the heading of the element around it; lists, terms, notes, tables and code are read as such. Any other
element is a part of the line where it stands among text, else a block. Where no element holds prose the file is data, and
each value is a line `name: value`, below the names of the elements that it is in. Values of attributes are no text, but the
name or key of a value.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingest.readers import excel_2003, spreadsheet
from ingest.readers.composition import Cell, Composition, Table, visible
from ingest.readers.drawing import drawing_document
from ingest.readers.html.elements import whole_number
from ingest.readers.html.notation import END, LOWERED, NOTE, RAISED
from ingest.readers.html.page import extract_html
from ingest.readers.html.vocabulary import names
from ingest.readers.xml_tree import local_name, parse_xml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile
    from ingest.readers.xml_tree import Element

_HEADINGS = names("title head heading headline h1 h2 h3 h4 h5 h6 refname")
_TITLES_BELOW = {
    "article-title": "title-group",
    "book-title": "title-info",
}  # headings there, parts of a reference elsewhere
_ABOUT = names(  # what is said of the element around: a title in it is the title of that
    "info articleinfo bookinfo chapterinfo refentryinfo refmeta refnamediv sectioninfo front article-meta title-group "
    "description title-info teiheader filedesc titlestmt"
)
_ITEMS = names("li listitem list-item item step substep member")
_ORDERED, _UNORDERED = (
    names("ol orderedlist procedure steps substeps"),
    names("ul itemizedlist simplelist steps-unordered"),
)
_ORDERS = names("order ordered arabic decimal numbered 1")  # what an attribute of an element `list` calls its numbers
_ENTRIES, _TERMS = names("varlistentry dlentry def-item glossentry dl"), names("term dt glossterm")
_NOTES = names("footnote fn")
_CODE = names("programlisting screen codeblock literallayout pre verbatim listing synopsis")
_ROWS, _CELLS = names("tr row strow sthead"), names("td th entry cell stentry")
_PARTS_OF_TABLES = names("thead tbody tfoot tgroup")
# Parts of one line, though no text stands between them: the name of a person, the signature of a function, a date.
_LINES = names(
    "name string-name personname persname pub-date methodsynopsis constructorsynopsis fieldsynopsis funcprototype cmdsynopsis"
)
_HOLD_TEXT = (
    _HEADINGS | _CODE | _TERMS | names("p para simpara li dd")
)  # what is in them is text, even without words between
# What is a block even where it stands among text.
_BLOCKS = (
    (_HEADINGS - names("refname")) | _ITEMS | _CODE | _ROWS | _CELLS | _ORDERED | _UNORDERED
    | names(
        "p para paragraph section div table list dl blockquote note tip warning caution important informaltable "
        "figure variablelist example informalexample"
    )
)  # fmt: skip
_NO_TEXT = names("binary script style indexterm")  # FictionBook keeps its pictures in the first
# A file that has none of these is data, unless text often stands between its elements.
_PROSE = names(
    "p para simpara formalpara section sect1 div ul ol li listitem table tr entry list pre programlisting codeblock lg l sp"
)
_MOST_MIXED = 4  # of so many elements of a data file one may have text between those in it, as a label with a bold word
_MAY_HOLD_HTML = names("description encoded content summary")
_HTML = re.compile(
    r"</(?:p|a|b|i|em|strong|div|span|ul|ol|li|h[1-6]|code|pre|td|table|blockquote)>|<(?:br|p|img|hr)\b[^<>]*>"
    r"|&(?:\#\d{1,6}|\#x[0-9a-f]{1,6}|amp|lt|gt|quot|apos|nbsp|[a-z]{2,8});",
    re.IGNORECASE,
)
_MARKS = {"superscript": RAISED, "sup": RAISED, "subscript": LOWERED, "sub": LOWERED}
_MAX_RAISED = 40  # characters
_MAX_HEADING = 400
_MAX_VALUE = 300  # characters of a value in a line; a longer one is a text of its own, to be cut between sentences
_NUMBER_AT_END = re.compile(r"\d{1,3}\Z")
_REFERENCES = re.compile(r"(?:&[\w.:-]{1,100};\s*)+")  # to texts that stand in another file


def read(file: RawFile) -> Iterator[Document]:
    """The one document of a file of XML; a workbook that Excel saved as such is read as one."""
    if excel_2003.is_workbook(file.data):
        yield from spreadsheet.read(file)
        return
    root = parse_xml(file.data, file.source, with_undeclared=True)
    if local_name(root.tag) == "svg":
        yield drawing_document(file, root)
        return
    reader = _Reader(_is_data(root))
    reader.read(root, 1)
    reader.flush()
    yield reader.composition.document(file)


def _name(element: Element) -> str:
    return local_name(element.tag).lower()


class _Reader:
    """Goes through a tree once, and gathers the text of one block after another."""

    def __init__(self, is_data: bool) -> None:
        self.composition = Composition()
        self._is_data = is_data
        self._pieces: list[str] = []
        self._kind, self._level, self._line = "paragraph", 0, 0
        self._table: Table | None = None
        self._lists: list[int] = []  # of each list that is open the number of its next item, 0 for one without numbers
        self._marker = ""  # of the item whose first block is to come
        self._terms: list[str] = []  # that nothing has defined yet
        self._term_line = 0
        self._notes: list[str] = []  # that the block which is being read refers to
        self._note_count = 0
        self._row_parent: Element = None  # the element whose values are the lines of the last block

    def read(self, element: Element, depth: int, *, in_line: bool = False) -> None:
        """Read what stands in an element; `in_line`: it stands among text."""
        self._add(element.text, element)
        among_text = in_line or _holds_text(element)
        for child in element:
            self._read_child(child, _name(child), depth, among_text=among_text)
            self._add(child.tail, child)

    def _read_child(self, child: Element, name: str, depth: int, *, among_text: bool) -> None:
        if name in _NO_TEXT:
            return
        if name in _ROWS and _is_row(child):
            self._read_row(child)
        elif name in _PARTS_OF_TABLES:
            self.read(child, depth + 1)
        elif among_text and (name in _NOTES or (name == "note" and child.get("place"))):
            self._put_note(child)
        elif among_text and name in _MARKS and _is_short(child):
            self._put_raised(child, name)
        elif among_text and name not in _BLOCKS:
            self.read(child, depth + 1, in_line=True)
        elif name in _TERMS and _name(child.getparent()) in _ENTRIES:
            self._read_term(child)
        elif name in _ABOUT and not among_text and len(child):
            self.flush()
            self.read(child, depth)
            self.flush()
        elif not among_text and _is_value(child) and (self._is_data or name in _MAY_HOLD_HTML):
            self._read_value(child, name, depth)
        else:
            self._read_block(child, name, depth)

    def _read_block(self, element: Element, name: str, depth: int) -> None:
        self.flush()
        around = self._kind, self._level
        self._kind, self._level = _kind_of(element, name), depth
        is_list = name in _ORDERED or name in _UNORDERED or name == "list"
        if is_list:
            self._lists.append(1 if _is_ordered(element, name) else 0)
        elif name in _ITEMS and not self._is_data:
            self._begin_item()
        if len(element):
            self.composition.enter(depth + 1, _section_of(element, name) if self._is_data else "")
        if name in _LINES and not _holds_text(element):
            self._begin_text(element)
            self._pieces.append(_words_of(element, " "))
        else:
            self.read(element, depth + 1)
        self.flush()
        if name in _ENTRIES:
            self._end_terms()
        if name in _ITEMS:
            self._marker = ""
        if is_list:
            self._lists.pop()
        if len(element):
            self.composition.enter(depth + 1, "")  # headings within it say nothing about what follows
        self._kind, self._level = around

    # Lists, terms and notes

    def _begin_item(self) -> None:
        if self._terms:
            return  # what defines a term
        number = self._lists[-1] if self._lists else 0
        self._marker = f"{number}. " if number else "- "
        if number:
            self._lists[-1] += 1

    def _read_term(self, term: Element) -> None:
        self.flush()
        if not self._terms:
            self._term_line = self._line = max(self._line, term.sourceline or 0)
        self._terms += filter(None, [_words_of(term)])

    def _end_terms(self) -> None:
        """Write terms that nothing defines."""
        if self._terms:
            line, self._terms = ", ".join(self._terms), []
            self.composition.begin_line(self._term_line)
            self.composition.write("paragraph", line)

    def _put_note(self, note: Element) -> None:
        self._begin_text(note)
        self._note_count += 1
        self._pieces += (NOTE, str(self._note_count), END)
        self._notes.append(f"[{self._note_count}] {_words_of(note)}")

    def _put_raised(self, element: Element, name: str) -> None:
        if words := _words_of(element):
            self._begin_text(element)
            is_note = any(part.get("ref-type") for part in (element.getparent(), *element))
            self._pieces += (NOTE if is_note else _MARKS[name], words, END)

    # Tables and data

    def _read_row(self, row: Element) -> None:
        if self._table is None:
            self.flush()
            self._table = Table(self.composition.copies)
            self._line = max(self._line, row.sourceline or 0)
        self._table.row([Cell(_words_of(cell), *_span_of(cell)) for cell in row if _is_cell(cell)])

    def _read_value(self, element: Element, name: str, depth: int) -> None:
        """A value as a line with its name, or as what it is: a heading, a page, a text."""
        text = _words_of(element)
        is_page = not len(element) and _HTML.search(text) is not None
        is_heading = name in _HEADINGS and len(text) <= _MAX_HEADING and element.getprevious() is None
        if not text or not (self._is_data or is_page):
            self._read_block(element, name, depth)
            return
        self.flush()
        self._line = max(self._line, element.sourceline or 0)
        if is_heading:
            self.composition.begin_line(self._line)
            self.composition.heading(depth, _text_of_page(text) if is_page else text)
        elif is_page:
            self._write_page(element.text or "", depth)
        elif len(text) > _MAX_VALUE or name in _CODE:
            self._read_block(element, name, depth)
        else:
            label = " ".join((element.get("name") or element.get("key") or local_name(element.tag)).split())
            joins = self._row_parent is element.getparent()
            self._row_parent = element.getparent()
            self.composition.row(f"{label[:100]}: {visible(text)}", self._line, joins=joins)

    def _write_page(self, markup: str, depth: int) -> None:
        """The markup of a web page that is the text of an element, as in a feed."""
        page = extract_html(markup)
        for block in page.blocks:
            text = page.text[block.start : block.end]
            self.composition.begin_line(self._line)
            if block.kind == "heading":
                self.composition.heading(depth + 1, text)
            else:
                self.composition.write(block.kind, text)

    # Writing

    def _add(self, text: str | None, element: Element) -> None:
        """Text behind the tag of an element, or behind all of it: no parser tells lines but those of tags."""
        if text and not (text.isspace() and not self._pieces):
            if not self._pieces:
                lead = text[: len(text) - len(text.lstrip())]
                self._begin_text(element, lead.count("\n"))
            self._pieces.append(visible(text))

    def _begin_text(self, element: Element, lines_below: int = 0) -> None:
        if not self._pieces:
            self._end_table()
            self._line = max(self._line, (element.sourceline or 0) + lines_below)

    def _end_table(self) -> None:
        table, self._table = self._table, None
        if table is not None:
            self.composition.begin_line(self._line)
            self.composition.write("table", table.text)

    def flush(self) -> None:
        """End the block that is being read."""
        self._end_table()
        text, self._pieces = "".join(self._pieces), []
        notes, self._notes = self._notes, []
        if text and not text.isspace():
            self._write(text)
        for note in notes:
            self.composition.begin_line(self._line)
            self.composition.write("paragraph", note)

    def _write(self, text: str) -> None:
        line = " ".join(text.split())
        if _REFERENCES.fullmatch(line):
            return
        is_heading = self._kind == "heading" and len(line) <= _MAX_HEADING
        if self._kind == "code" or is_heading:
            self._end_terms()
        term_line = self._term_line if self._terms else 0
        if self._terms:
            line, self._terms = f"{', '.join(self._terms)}\n{line}", []
        marker, self._marker = self._marker, ""
        self.composition.begin_line(term_line or self._line)
        if self._kind == "code":
            self.composition.write("code", text.strip("\r\n").rstrip())
        elif is_heading:
            self.composition.heading(self._level, line)
        elif marker:
            self.composition.item(len(self._lists) - 1, f"{marker}{line}")
        else:
            self.composition.write("paragraph", line)


def _kind_of(element: Element, name: str) -> str:
    if name in _HEADINGS or (name in _TITLES_BELOW and _name(element.getparent()) == _TITLES_BELOW[name]):
        return "heading"
    return "code" if name in _CODE else "paragraph"


def _is_ordered(element: Element, name: str) -> bool:
    kinds = (element.get(attribute) for attribute in ("list-type", "type", "rend"))
    return name in _ORDERED or (name == "list" and any(kind in _ORDERS for kind in kinds))


# What an element holds


def _is_data(root: Element) -> bool:
    """Whether no element holds prose."""
    elements = mixed = 0
    for element in root.iter():
        if _name(element) in _PROSE:
            return False
        elements += 1
        mixed += len(element) > 0 and _has_text(element)
    return len(root) > 0 and _MOST_MIXED * mixed <= elements


def _section_of(element: Element, name: str) -> str:
    """What the lines of an element of a data file are below: the title that it has, or its name and what calls it."""
    if name in _HEADINGS:
        return ""
    titles = (_words_of(child) for child in element if _name(child) in _HEADINGS and _is_value(child))
    title = next(filter(None, titles), "")
    if title and len(title) <= _MAX_HEADING:
        return title
    called = element.get("name") or element.get("key") or element.get("id") or ""
    return f"{local_name(element.tag)} {called}".strip()


def _is_value(element: Element) -> bool:
    """Whether an element holds text and no other elements but among it."""
    return _has_text(element) if len(element) else bool(element.text) and not element.text.isspace()


def _holds_text(element: Element) -> bool:
    """Whether what stands in an element is part of a line."""
    name = _name(element)
    return name in _HOLD_TEXT or (name in _ITEMS and len(element) == 1) or _has_text(element)


def _is_short(element: Element) -> bool:
    """Whether an element holds a few characters, in it or in elements straight below."""
    texts = (text for part in (element, *element) for text in (part.text, part.tail if part is not element else ""))
    return not any(map(len, element)) and sum(len(text or "") for text in texts) <= _MAX_RAISED


def _is_row(element: Element) -> bool:
    """Whether an element has cells, and no word outside them that a row of cells would lose."""
    cells = [child for child in element if _is_cell(child)]
    others = (child for child in element if not _is_cell(child) and _name(child) not in _NO_TEXT)
    return bool(cells) and not _has_text(element) and all(_words_of(other) == "" for other in others)


def _is_cell(element: Element) -> bool:
    return _name(element) in _CELLS


def _span_of(cell: Element) -> tuple[int, int]:
    """How many columns and rows a cell takes, in the tables of HTML and in those of CALS."""
    columns = whole_number(cell.get("colspan") or "", 1)
    first, last = (_NUMBER_AT_END.search(cell.get(side) or "") for side in ("namest", "nameend"))
    if first and last:
        columns = int(last[0]) - int(first[0]) + 1
    rows = whole_number(cell.get("rowspan") or "", 1) + whole_number(cell.get("morerows") or "", 0)
    return max(columns, 1), max(rows, 1)


def _has_text(element: Element) -> bool:
    """Whether text stands between the elements in it."""
    texts = (element.text, *(child.tail for child in element))
    return any(text and not text.isspace() for text in texts)


def _words_of(element: Element, between: str = "") -> str:
    """All text in an element in one line, blocks apart; `between` is put between all elements."""
    pieces: list[str] = []
    waiting: list[tuple[Element, bool]] = [(element, False)]
    while waiting:
        part, is_over = waiting.pop()
        is_block = part is not element and _name(part) in _BLOCKS
        pieces.append(" " if is_block else between)
        if is_over:
            pieces.append(part.tail or "")
        elif _name(part) not in _NO_TEXT or part is element:
            pieces.append(part.text or "")
            waiting += [(part, True)] if part is not element else []
            waiting += [(child, False) for child in reversed(part)]
        else:
            pieces.append(part.tail or "")
    return " ".join("".join(pieces).split())


def _text_of_page(markup: str) -> str:
    return " ".join(extract_html(markup).text.split())
