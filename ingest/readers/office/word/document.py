"""A Word document in, its text out as people read it: numbers before items, notes behind the paragraph, tables as rows.

Headers, footers and pictures are left out; so are tracked deletions, hidden text, text that is struck out, and the
prompts of content controls that nobody has filled in. Footnotes and endnotes follow the paragraph, list or table that
refers to them, as `[1] ...`; comments stand at the end under a heading of their own.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from ingest.readers.composition import MAX_REPEATED, Cell, Composition, Table, listed
from ingest.readers.enclosed import enclosed_documents
from ingest.readers.html.notation import LINE_BREAK, collapsed, plain_text
from ingest.readers.html.vocabulary import names
from ingest.readers.office.drawings import write_drawing
from ingest.readers.office.package import Package, child_of, is_on, name_of, number, setting, unwrapped, value_of
from ingest.readers.office.word.numbering import Numbering
from ingest.readers.office.word.runs import PLACEHOLDER, Inline, Runs, Story, are_fields_closed, page_count
from ingest.readers.office.word.styles import TITLE_LEVEL, Styles, outline_level
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile
    from ingest.readers.xml_tree import Element

COMMENTS = "Comments"
_MAX_HEADING = 400  # characters; a longer paragraph with an outline level is text
_NOTE_FORMATS = {"footnote": "decimal", "endnote": "lowerRoman"}
# Between a container and its paragraphs: what is not text there, and what is read as a whole.
_NO_BLOCKS = names(
    """w:del w:moveFrom w:sectPr w:tcPr w:trPr w:tblPr w:tblGrid w:tblPrEx w:sdtPr w:sdtEndPr w:customXmlPr w:pPr"""
)
_BLOCKS = frozenset(("w:p", "w:tbl", "w:altChunk"))


def read(file: RawFile) -> Iterator[Document]:
    """The one document of a Word file."""
    yield _Reader(file).document()


class _Reader:
    """Goes through a document from its beginning to its end."""

    def __init__(self, file: RawFile) -> None:
        self._file = file
        self._package = package = Package(file)
        self._part, self._root = package.main_part("w:document")
        self._styles = Styles(package.optional("styles", self._part))
        self._numbering = Numbering(package.optional("numbering", self._part), self._styles)
        self._runs = Runs(self._styles, self._note_formats())
        self._notes = {kind: _by_id(package.optional(f"{kind}s", self._part)) for kind in _NOTE_FORMATS}
        self._comments = _by_id(package.optional("comments", self._part))
        self._composition = Composition()
        self._title = ""
        self._older = 0  # notes that were referred to before the block that is being read
        self._left_out: list[str] = []

    def _note_formats(self) -> dict[str, str]:
        settings = self._package.optional("settings", self._part)
        return {kind: setting(settings, f"w:{kind}Pr", "w:numFmt") or usual for kind, usual in _NOTE_FORMATS.items()}

    def document(self) -> Document:
        """All that the file says."""
        title, facts = self._package.facts()
        self._runs.story = Story(are_fields_closed=are_fields_closed(self._root), page=self._first_page())
        for body in self._root:
            if name_of(body.tag) == "w:body":
                self._read_blocks(body)
        self._write_notes()
        self._write_comments()
        if self._runs.has_struck:
            self._left_out.append("text that is struck out is left out")
        return self._composition.document(self._file, title or self._title, facts, listed(self._left_out))

    def _first_page(self) -> int:
        """1 where the file says where pages begin, else 0.

        Word leaves marks where pages began when it showed the document last. Only where they are as many as the pages that
        it counted then, nothing has been written or removed since by a program that knows no pages.
        """
        breaks = sum(1 for _ in self._root.iter("{*}lastRenderedPageBreak"))
        return int(breaks > 0 and page_count(self._package.optional("extended-properties")) == breaks + 1)

    # Blocks

    def _read_blocks(self, container: Element) -> None:
        carried = Inline()  # of paragraphs whose end was deleted: what goes on in the next one
        for name, element in _blocks(container):
            self._older = len(self._runs.notes)
            if name == "w:p":
                style = self._style_of(element)
                carried.go_on(self._runs.read(element, style))
                if _is_end_deleted(element):
                    continue
                self._write_paragraph(element, style, carried)
                self._read_attached(carried)
            else:
                self._write_carried(carried)
                if name == "w:tbl":
                    self._read_table(element)
                else:
                    self._read_embedded(element)
            carried = Inline()
        self._write_carried(carried)

    def _write_carried(self, inline: Inline) -> None:
        self._write("paragraph", collapsed("".join(inline.pieces)))
        self._read_attached(inline)

    def _style_of(self, paragraph: Element) -> str:
        return setting(paragraph, "w:pPr", "w:pStyle") or self._styles.default

    def _read_attached(self, inline: Inline) -> None:
        """The text boxes and drawings that are anchored in a paragraph."""
        for box in inline.boxes:
            self._read_blocks(box)
        for kind, element in inline.drawings:
            write_drawing(self._composition, self._package, self._part, kind, element)

    def _write_paragraph(self, paragraph: Element, style: str, inline: Inline) -> None:
        marked = "".join(inline.pieces)
        properties = child_of(paragraph, "w:pPr")
        counted = self._numbering.marker(properties, style)
        text = collapsed(marked)
        plain = plain_text(text).text
        if not plain:
            return
        marker, depth = counted or ("", 0)
        written = f"{marker} {text}" if marker else text
        level = self._heading_level(properties, style)
        kind = self._styles.kind(style)
        if level is not None and len(plain) <= _MAX_HEADING:
            self._write_notes(self._older)
            if level == TITLE_LEVEL:
                self._title = self._title or " ".join(plain.split())
            self._composition.heading(level, written)
            self._write_notes()
        elif marker:
            self._composition.item(depth, written)
        elif kind == "code":
            self._write(kind, marked.replace(LINE_BREAK, "\n").rstrip())
        else:
            self._write(kind, text)

    def _heading_level(self, properties: Element | None, style: str) -> int | None:
        direct = setting(properties, "w:outlineLvl")
        return outline_level(direct) if direct else self._styles.heading_level(style)

    def _write(self, kind: str, text: str) -> None:
        """A block that is no item of a list, and the notes of what stands before it and in it."""
        if not text:
            return
        self._write_notes(self._older)
        self._composition.write(kind, text)
        self._write_notes()

    def _read_embedded(self, chunk: Element) -> None:
        """A document that is embedded as a whole, by its own reader: programs that make Word files of web pages do so."""
        self._write_notes()
        part = self._package.target(self._part, value_of(chunk, "r:id"))
        if not part:
            self._left_out.append("a document that is embedded as a whole is missing")
            return
        name, data, media_type = posixpath.basename(part), self._package.data(part), self._package.media_type(part)
        try:
            documents = enclosed_documents(self._file, name, name, data, media_type)
        except UnreadableDocument as error:
            self._left_out.append(f"a document that is embedded as a whole is left out: {error}")
            return
        for document in documents:
            self._composition.add(document.text, document.blocks)
            self._left_out += [document.remark] if document.remark else []

    # Tables

    def _read_table(self, table: Element) -> None:
        rows = [row for row in _children(table, "w:tr") if child_of(row, "w:trPr", "w:del") is None]
        cells = [cell for row in rows for cell in _children(row, "w:tc")]
        is_layout = len(cells) == 1 or any(True for inner in table.iter(table.tag) if inner is not table)
        if is_layout:  # a frame around text, or columns of a form: what is in it is read as if it stood by itself
            for cell in cells:
                self._read_blocks(cell)
            return
        written = Table(self._composition.copies)
        merged: dict[int, str] = {}  # by column: the text of the cell that goes on below
        for row in rows:
            written.row(self._row(row, merged))
        self._write("table", written.text)

    def _row(self, row: Element, merged: dict[int, str]) -> list[Cell]:
        cells = [Cell("")] * self._composition.copies.take(number(setting(row, "w:trPr", "w:gridBefore")))
        column = len(cells)
        for cell in _children(row, "w:tc"):
            properties = child_of(cell, "w:tcPr")
            if child_of(properties, "w:cellDel") is not None:
                continue
            text = self._cell_text(cell)
            merge = child_of(properties, "w:vMerge")
            if merge is None:
                merged.pop(column, None)
            elif value_of(merge, "w:val", "continue") == "continue":
                repeated = merged.get(column, "")
                text = repeated if self._composition.copies.take(1) else ""
            else:
                plain = " ".join(plain_text(text).text.split())
                merged[column] = plain if len(plain) <= MAX_REPEATED else ""
            columns = max(number(setting(properties, "w:gridSpan"), 1), 1)
            cells.append(Cell(text, columns))
            column += columns
        return cells

    def _cell_text(self, cell: Element) -> str:
        """A cell's paragraphs and text boxes in one line, with their marks."""
        parts: list[str] = []
        for name, element in _blocks(cell):
            if name != "w:p":
                continue
            style = self._style_of(element)
            inline = self._runs.read(element, style)
            counted = self._numbering.marker(child_of(element, "w:pPr"), style)
            text = "".join(inline.pieces)
            if counted and counted[0] and plain_text(text).text.strip():
                text = f"{counted[0]} {text}"
            parts += (text, "" if _is_end_deleted(element) else " ")
            for box in inline.boxes:
                parts += (self._cell_text(box), " ")
        return "".join(parts).replace(LINE_BREAK, " ")

    # Notes and comments

    def _write_notes(self, number: int | None = None) -> None:
        """The first of the notes that were referred to, or all: each where it is referred to first."""
        waiting = self._runs.notes[:number]
        del self._runs.notes[:number]
        self._older = 0
        for kind, identifier, label in waiting:
            note = self._notes[kind].pop(identifier, None)
            text = self._story_text(note) if note is not None else ""
            if plain_text(text).text.strip():
                self._composition.write("paragraph", f"[{label}] {text}" if label else text)

    def _write_comments(self) -> None:
        texts = []
        for identifier in self._runs.comments:
            comment = self._comments.pop(identifier, None)
            text = self._story_text(comment) if comment is not None else ""
            if plain_text(text).text.strip():
                author = " ".join(value_of(comment, "w:author").split())
                texts.append(f"{author}: {text}" if author else text)
        if texts:
            self._composition.section(1, COMMENTS)
            for text in texts:
                self._composition.write("paragraph", text)

    def _story_text(self, root: Element) -> str:
        """The text of a note or comment, a line for each paragraph."""
        story, self._runs.story = self._runs.story, Story(are_fields_closed=are_fields_closed(root))
        lines = []
        for name, element in _blocks(root):
            if name == "w:tbl":
                lines += [
                    self._cell_text(cell) for row in _children(element, "w:tr") for cell in _children(row, "w:tc")
                ]
            elif name == "w:p":
                lines.append("".join(self._runs.read(element, self._style_of(element)).pieces))
        self._runs.story = story
        return collapsed(LINE_BREAK.join(lines))


def _by_id(root: Element | None) -> dict[str, Element]:
    return {value_of(child, "w:id"): child for child in root} if root is not None else {}


def _is_end_deleted(paragraph: Element) -> bool:
    """Whether a tracked change has joined a paragraph to the next one."""
    mark = child_of(paragraph, "w:pPr", "w:rPr")
    return any(child_of(mark, name) is not None for name in ("w:del", "w:moveFrom"))


def _blocks(container: Element) -> Iterator[tuple[str, Element]]:
    """The paragraphs and tables in a container, through wrappers of any name."""
    yield from unwrapped(container, _BLOCKS, _is_wrapper)


def _children(container: Element, name: str) -> Iterator[Element]:
    """The rows of a table or the cells of a row, through wrappers."""
    for _, element in unwrapped(container, (name,), _is_wrapper):
        yield element


def _is_wrapper(name: str, element: Element) -> bool:
    return name not in _NO_BLOCKS and not is_on(element, *PLACEHOLDER)
