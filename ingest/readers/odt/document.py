"""An OpenDocument text in, its text out as people read it: numbers before items, notes behind the paragraph, tables as rows.

Headers, footers, pictures, what tracked changes have deleted, hidden and struck-out text are left out. Footnotes and endnotes
follow the paragraph, list or table that refers to them, as `[1] ...`; comments stand at the end under a heading of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.readers.archive import Archive
from ingest.readers.composition import MAX_REPEATED, Cell, Composition, Table, add_marked, facts, listed, visible
from ingest.readers.html.notation import END, LINE_BREAK, LOWERED, NOTE, RAISED, collapsed, line_mark, plain_text
from ingest.readers.html.vocabulary import names
from ingest.readers.odt.names import all_named, child_of, name_of, value_of, whole
from ingest.readers.odt.styles import LEVELS, ListStyle, Look, Styles
from ingest.readers.xml_tree import first_named, parse_xml, text_of
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile
    from ingest.readers.xml_tree import Element
    from sql.records.metadata import MetadataValue

COMMENTS = "Comments"
_CONTENT, _STYLES, _META, _MANIFEST = "content.xml", "styles.xml", "meta.xml", "META-INF/manifest.xml"
_FLAT = ".fodt"
_SCRIPTS = {"raised": RAISED, "lowered": LOWERED}
_NO_TEXT = names(
    """text:tracked-changes text:note-citation office:forms office:scripts office:event-listeners text:script
    text:sequence-decls text:variable-decls text:user-field-decls text:dde-connection-decls svg:title svg:desc
    text:alphabetical-index-auto-mark-file text:table-of-content-source text:illustration-index-source
    text:table-index-source text:object-index-source text:user-index-source text:alphabetical-index-source
    text:bibliography-source office:binary-data table:table-columns table:table-column drawing:glue-point
    drawing:object-ole"""
)
_MAX_SPACES = 100  # that one element stands for


def read(file: RawFile) -> Iterator[Document]:
    """The one document of an OpenDocument text."""
    yield _Reader(file).document()


class _List:
    """A list that is open: its style, and the numbers that all of its levels are at."""

    def __init__(self, style_name: str, style: ListStyle, counters: list[int | None]) -> None:
        self.style_name, self.style, self.counters = style_name, style, counters


class _Reader:
    """Goes through a document from its beginning to its end."""

    def __init__(self, file: RawFile) -> None:
        self._file = file
        content, styles, self._meta = _parts(file)
        body = child_of(child_of(content, "office:body"), "office:text")
        if body is None:
            raise UnreadableDocument(
                f"{file.source} is an OpenDocument file without the text document that its name promises"
            )
        self._body = body
        self._styles = Styles([content, styles] if styles is not None else [content])
        self._composition = Composition()
        self._pieces: list[str] = []
        self._boxes: list[Element] = []  # anchored in the paragraph that is being read
        self._notes: list[tuple[str, Element]] = []
        self._older = 0  # notes that were referred to before the block that is being read
        self._comments: list[tuple[str, Element]] = []
        self._lists: list[_List] = []
        self._known_lists: dict[str, list[int | None]] = {}  # the numbers of lists by their ids
        self._last_of_style: dict[str, list[int | None]] = {}
        self._headings: list[int | None] = [None] * LEVELS
        self._marker: str | None = None  # of the item whose first paragraph is yet to come
        self._title = ""
        self._has_struck = False
        self._page = self._marked_page = 0

    def document(self) -> Document:
        """All that the file says."""
        title, metadata = self._facts()
        self._page = self._first_page()
        self._read_blocks(self._body)
        self._write_notes()
        self._write_comments()
        remarks = ["text that is struck out is left out"] if self._has_struck else []
        return self._composition.document(self._file, title or self._title, metadata, listed(remarks))

    def _facts(self) -> tuple[str, dict[str, MetadataValue]]:
        if self._meta is None:
            return "", {}
        wanted = ("title", "initial-creator", "creator", "creation-date", "date", "language")
        title, first, last, created, modified, language = (text_of(first_named(self._meta, name)) for name in wanted)
        return title, facts(author=first or last, created=created, modified=modified, language=language)

    def _first_page(self) -> int:
        """1 where the breaks of pages that the program left are as many as the pages it counted, else 0."""
        breaks = sum(1 for _ in all_named(self._body, "text:soft-page-break"))
        statistic = first_named(self._meta, "document-statistic") if self._meta is not None else None
        return int(breaks > 0 and whole(value_of(statistic, "meta:page-count"), 0) == breaks + 1)

    # Blocks

    def _read_blocks(self, container: Element) -> None:
        for child in container:
            name = name_of(child.tag)
            if name in _BLOCKS:
                self._older = len(self._notes)
                _BLOCKS[name](self, child)
            elif name and name not in _NO_TEXT and value_of(child, "text:display") != "none":
                self._read_blocks(child)

    def _read_paragraph(self, paragraph: Element) -> None:
        self._write_paragraph(paragraph, value_of(paragraph, "text:style-name"))

    def _read_heading(self, heading: Element) -> None:
        style = value_of(heading, "text:style-name")
        depth = min(max(whole(value_of(heading, "text:outline-level"), 1), 1), LEVELS) - 1
        marker, self._marker = self._marker, None
        if marker is None and value_of(heading, "text:is-list-header") != "true":
            start = value_of(heading, "text:start-value")
            marker = _counted(self._styles.outline, self._headings, depth, start)
        text, boxes = self._inline(heading, style)
        if plain_text(text).text.strip():
            self._write_notes(self._older)
            self._composition.heading(depth + 1, collapsed(f"{marker} {text}" if marker else text))
            self._write_notes()
        self._read_boxes(boxes)

    def _write_paragraph(self, paragraph: Element, style: str) -> None:
        text, boxes = self._inline(paragraph, style)
        marker, self._marker = self._marker, None
        shown = collapsed(text)
        kind = self._styles.kind(style)
        if not plain_text(shown).text:
            pass
        elif self._lists:
            self._composition.item(len(self._lists) - 1, f"{marker} {shown}" if marker else shown)
        elif kind == "title":
            self._title = self._title or " ".join(plain_text(shown).text.split())
            self._composition.heading(0, shown)
        elif kind == "code":
            self._write(kind, text.replace(LINE_BREAK, "\n").rstrip())
        else:
            self._write(kind, shown)
        self._read_boxes(boxes)

    def _read_boxes(self, boxes: list[Element]) -> None:
        lists, self._lists = self._lists, []
        for box in boxes:
            self._read_blocks(box)
        self._lists = lists

    def _write(self, kind: str, text: str) -> None:
        """A block that is no item of a list, and the notes of what stands before it and in it."""
        if text:
            self._write_notes(self._older)
            self._composition.write(kind, text)
            self._write_notes()

    # Lists

    def _read_list(self, element: Element) -> None:
        above = self._lists[-1] if self._lists else None
        name = value_of(element, "text:style-name") or (above.style_name if above else "")
        counters = above.counters if above is not None else self._continued(element, name)
        self._lists.append(_List(name, self._styles.list_style(name), counters))
        for item in element:
            kind = name_of(item.tag)
            if kind == "text:list-item":
                self._read_item(item)
            elif kind == "text:list-header":
                self._read_blocks(item)
        self._lists.pop()
        self._marker = None

    def _continued(self, element: Element, style: str) -> list[int | None]:
        """The numbers that a list goes on from: those of another one that it names, or none."""
        counters = self._known_lists.get(value_of(element, "text:continue-list"))
        if counters is None and value_of(element, "text:continue-numbering") == "true":
            counters = self._last_of_style.get(style)
        if counters is None:
            counters = [None] * LEVELS
        identifier = element.get("{http://www.w3.org/XML/1998/namespace}id", "")
        if identifier:
            self._known_lists[identifier] = counters
        self._last_of_style[style] = counters
        return counters

    def _read_item(self, item: Element) -> None:
        """An item is counted when its first paragraph comes: one that only holds a list is there for the depth."""
        of, depth = self._lists[-1], min(len(self._lists), LEVELS) - 1
        first = next(
            (name_of(child.tag) for child in item if name_of(child.tag) not in ("", "text:soft-page-break")), ""
        )
        self._marker = None
        if first in ("text:p", "text:h"):
            self._marker = _counted(of.style, of.counters, depth, value_of(item, "text:start-value"))
        self._read_blocks(item)

    def _read_numbered(self, paragraph: Element) -> None:
        """A paragraph that is an item of a list by itself."""
        name = value_of(paragraph, "text:style-name")
        depth = min(max(whole(value_of(paragraph, "text:level"), 1), 1), LEVELS)
        counters = self._known_lists.setdefault(f"numbered {value_of(paragraph, 'text:list-id')}", [None] * LEVELS)
        lists, style = self._lists, self._styles.list_style(name)
        self._lists = [_List(name, style, counters)] * depth
        self._marker = _counted(style, counters, depth - 1, value_of(paragraph, "text:start-value"))
        self._read_blocks(paragraph)
        self._lists = lists

    # Tables

    def _read_table(self, table: Element) -> None:
        rows = [[*_cells(row)] for row in _rows(table)]
        nested = any(True for inner in all_named(table, "table:table") if inner is not table)
        lists, self._lists = self._lists, []
        if nested or (len(rows) == 1 and len(rows[0]) == 1):  # a frame around text, or columns of a form
            for row in rows:
                for cell in row:
                    self._read_blocks(cell)
        else:
            written = Table(self._composition.copies)
            for row in rows:
                written.row([cell for element in row for cell in self._cell(element)])
            self._write("table", written.text)
        self._lists = lists

    def _cell(self, element: Element) -> list[Cell]:
        text = " ".join(self._nested_lines(element)).replace(LINE_BREAK, " ")
        repeated = self._composition.copies.take(whole(value_of(element, "table:number-columns-repeated"), 1) - 1)
        plain = plain_text(text).text
        cell = Cell(
            text,
            whole(value_of(element, "table:number-columns-spanned"), 1),
            whole(value_of(element, "table:number-rows-spanned"), 1),
        )
        return [cell, *[Cell(plain if len(plain) <= MAX_REPEATED else "")] * repeated]

    # Text

    def _inline(self, paragraph: Element, style: str) -> tuple[str, list[Element]]:
        """The text of a paragraph with its marks, not yet collapsed, and the boxes that are anchored in it."""
        pieces, boxes = self._pieces, self._boxes
        self._pieces, self._boxes = [], []
        self._walk(paragraph, self._styles.look("paragraph", style))
        text, found = "".join(self._pieces), self._boxes
        self._pieces, self._boxes = pieces, boxes
        return text, found

    def _walk(self, element: Element, look: Look) -> None:
        self._add(element.text, look)
        for child in element:
            name = name_of(child.tag)
            if name in _INLINE:
                _INLINE[name](self, child, look)
            elif name.startswith("drawing:"):
                self._boxes.append(child)
            elif name and name not in _NO_TEXT and value_of(child, "text:is-hidden") != "true":
                self._walk(child, look)
            self._add(child.tail, look)

    def _add(self, text: str | None, look: Look) -> None:
        if not text or look.is_hidden:
            return
        if look.is_struck:
            self._has_struck = True
            return
        if self._page != self._marked_page and not text.isspace():
            self._marked_page = self._page
            lead = len(text) - len(text.lstrip())
            text = text[:lead] + line_mark(self._page) + text[lead:]
        self._pieces.append(visible(text))

    def _span(self, span: Element, look: Look) -> None:
        name = value_of(span, "text:style-name")
        own = self._styles.look("text", name)
        inner = Look(own.script or look.script, own.is_hidden or look.is_hidden, own.is_struck or look.is_struck)
        if inner.script in ("", look.script) or child_of(span, "text:note") is not None:
            self._walk(span, inner)
            return
        around, self._pieces = self._pieces, []
        self._walk(span, inner)
        add_marked(around, _SCRIPTS[inner.script], self._pieces)
        self._pieces = around

    def _spaces(self, element: Element, look: Look) -> None:
        self._add(" " * min(whole(value_of(element, "text:c"), 1), _MAX_SPACES), look)

    def _tab(self, element: Element, look: Look) -> None:  # noqa: ARG002 - all of _INLINE are called alike
        self._add("\t", look)

    def _break(self, element: Element, look: Look) -> None:  # noqa: ARG002
        if not look.is_hidden:
            self._pieces.append(LINE_BREAK)

    def _next_page(self, element: Element, look: Look | None = None) -> None:  # noqa: ARG002
        self._page += self._page > 0

    def _note(self, note: Element, look: Look) -> None:
        body = child_of(note, "text:note-body")
        if look.is_hidden or look.is_struck or body is None:
            return
        label = text_of(child_of(note, "text:note-citation"))
        self._pieces += (NOTE, label, END)
        self._notes.append((label, body))

    def _comment(self, comment: Element, look: Look) -> None:  # noqa: ARG002
        self._comments.append((text_of(first_named(comment, "creator")), comment))

    def _ruby(self, ruby: Element, look: Look) -> None:
        base, above = child_of(ruby, "text:ruby-base"), child_of(ruby, "text:ruby-text")
        if base is not None:
            self._walk(base, look)
        if above is not None:
            self._add("(", look)
            self._walk(above, look)
            self._add(")", look)

    # Notes and comments

    def _write_notes(self, number: int | None = None) -> None:
        waiting = self._notes[:number]
        del self._notes[:number]
        self._older = 0
        for label, body in waiting:
            text = LINE_BREAK.join(self._nested_lines(body))
            if plain_text(text).text.strip():
                self._composition.write("paragraph", collapsed(f"[{label}] {text}" if label else text))

    def _write_comments(self) -> None:
        texts = []
        for author, comment in self._comments:
            text = collapsed(LINE_BREAK.join(self._nested_lines(comment)))
            if plain_text(text).text.strip():
                texts.append(f"{author}: {text}" if author else text)
        if texts:
            self._composition.section(1, COMMENTS)
            for text in texts:
                self._composition.write("paragraph", text)

    def _nested_lines(self, container: Element) -> list[str]:
        """The paragraphs of a cell, note or comment, numbers of lists before them, and those of its boxes."""
        lines: list[str] = []
        for child in container:
            name = name_of(child.tag)
            if name in ("text:p", "text:h"):
                text, boxes = self._inline(child, value_of(child, "text:style-name"))
                marker, self._marker = self._marker, None
                lines.append(f"{marker} {text}" if marker and plain_text(text).text.strip() else text)
                for box in boxes:
                    lines += self._nested_lines(box)
            elif name == "text:list":
                lines += self._nested_list(child)
            elif name and name not in _NO_TEXT and name not in ("creator", "date", "meta:date-string"):
                lines += self._nested_lines(child)
        return lines

    def _nested_list(self, element: Element) -> list[str]:
        above = self._lists[-1] if self._lists else None
        name = value_of(element, "text:style-name") or (above.style_name if above else "")
        counters = above.counters if above else self._continued(element, name)
        self._lists.append(_List(name, self._styles.list_style(name), counters))
        lines: list[str] = []
        for item in element:
            kinds = [name_of(child.tag) for child in item]
            if name_of(item.tag) == "text:list-item" and kinds[:1] in (["text:p"], ["text:h"]):
                depth = min(len(self._lists), LEVELS) - 1
                self._marker = _counted(self._lists[-1].style, counters, depth, value_of(item, "text:start-value"))
            lines += self._nested_lines(item)
        self._lists.pop()
        self._marker = None
        return lines


_BLOCKS: dict[str, Callable[[_Reader, Element], None]] = {
    "text:p": _Reader._read_paragraph,
    "text:h": _Reader._read_heading,
    "text:list": _Reader._read_list,
    "text:numbered-paragraph": _Reader._read_numbered,
    "table:table": _Reader._read_table,
    "text:soft-page-break": _Reader._next_page,
}
_INLINE: dict[str, Callable[[_Reader, Element, Look], None]] = {
    "text:span": _Reader._span,
    "text:s": _Reader._spaces,
    "text:tab": _Reader._tab,
    "text:line-break": _Reader._break,
    "text:soft-page-break": _Reader._next_page,
    "text:note": _Reader._note,
    "office:annotation": _Reader._comment,
    "text:ruby": _Reader._ruby,
}


def _counted(style: ListStyle, counters: list[int | None], depth: int, start: str) -> str:
    """Count the next item of a level; what stands before it."""
    before = counters[depth]
    counters[depth] = whole(start, 1) if start else style.start(depth) if before is None else before + 1
    counters[depth + 1 :] = [None] * (LEVELS - depth - 1)
    return style.marker(counters, depth)


def _rows(table: Element) -> Iterator[Element]:
    for child in table:
        name = name_of(child.tag)
        if name == "table:table-row":
            yield child
        elif name in ("table:table-header-rows", "table:table-rows", "table:table-row-group"):
            yield from _rows(child)


def _cells(row: Element) -> Iterator[Element]:
    """The cells of a row but those that another one covers."""
    return (cell for cell in row if name_of(cell.tag) == "table:table-cell")


def _parts(file: RawFile) -> tuple[Element, Element | None, Element | None]:
    """The roots of the content, the styles and what the file says of itself; of a flat file all in one."""
    if file.suffix == _FLAT:
        root = parse_xml(file.data, file.source)
        return root, None, child_of(root, "office:meta")
    archive = Archive(file.data, file.source)
    if _MANIFEST in archive:
        manifest = parse_xml(archive.read(_MANIFEST), file.source, _MANIFEST)
        if first_named(manifest, "encryption-data") is not None:
            raise UnreadableDocument(f"{file.source} is encrypted: save it without a password")
    found = [
        parse_xml(archive.read(part), file.source, part) if part in archive or part == _CONTENT else None
        for part in (_CONTENT, _STYLES, _META)
    ]
    return found[0], found[1], found[2]
