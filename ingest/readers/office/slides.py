"""A presentation in, its slides out in the order in which they are shown, each a page: title, text, tables, notes.

The title of a slide is its heading and comes first; the other shapes follow in the order of the file, which is the one that
screen readers use. Of the notes the speaker's own are read, under a heading `Notes`. Dates, footers and slide numbers are
left out, as are pictures, comments, and the text of layouts and masters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.readers.composition import MAX_REPEATED, Cell, Composition, Table, add_marked, listed, visible
from ingest.readers.html.notation import LINE_BREAK, LOWERED, RAISED, collapsed, plain_text
from ingest.readers.office.drawings import write_drawing
from ingest.readers.office.formula import formula_text
from ingest.readers.office.package import Package, child_of, chosen, name_of, number, unwrapped, value_of
from ingest.readers.office.slide_lists import LEVELS, TITLES, Bullets, Counters, bullet_of, placeholder_of
from ingest.readers.office.word.symbols import without_private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile
    from ingest.readers.xml_tree import Element

NOTES = "Notes"
_FRAME = ("dt", "ftr", "hdr", "sldNum")  # placeholders that are the same on every slide
_SHAPES = frozenset(("p:sp", "p:graphicFrame", "p:cxnSp"))
_MAX_NAMED = 10  # slides that a remark lists


def read(file: RawFile) -> Iterator[Document]:
    """The one document of a presentation."""
    yield _Reader(file).document()


class _Reader:
    """Goes through the slides of a presentation."""

    def __init__(self, file: RawFile) -> None:
        self._file = file
        self._package = Package(file)
        self._main, self._root = self._package.main_part("p:presentation")
        self._bullets = Bullets(self._package)
        self._composition = Composition()
        self._slide = ""  # the part that is being read
        self._has_struck = False

    def document(self) -> Document:
        """All slides."""
        title, facts = self._package.facts()
        hidden = []
        first = number(value_of(self._root, "firstSlideNum"), 1)
        for page, part in enumerate(self._slides(), start=1):
            label = str(first + page - 1) if first != 1 else ""
            if self._read_slide(part, page, label):
                hidden.append(label or str(page))
        return self._composition.document(self._file, title, facts, listed(self._remarks(hidden)))

    def _remarks(self, hidden: list[str]) -> Iterator[str]:
        if hidden:
            names = ", ".join(hidden[:_MAX_NAMED]) + (", ..." if len(hidden) > _MAX_NAMED else "")
            yield f"hidden slides are read too: {names}"
        if self._has_struck:
            yield "text that is struck out is left out"

    def _slides(self) -> Iterator[str]:
        order = child_of(self._root, "p:sldIdLst")
        for entry in order if order is not None else ():
            part = self._package.target(self._main, value_of(entry, "r:id"))
            if part:
                yield part

    def _read_slide(self, part: str, page: int, label: str) -> bool:
        """Write a slide; whether it is hidden."""
        self._slide = part
        root = self._package.parse(part)
        self._composition.begin_page(page, label)
        self._composition.enter(1, "")
        shapes = list(_shapes(child_of(root, "p:cSld", "p:spTree")))
        is_title = [placeholder_of(shape).kind in TITLES for shape in shapes]
        for shape, wanted in sorted(zip(shapes, is_title, strict=True), key=lambda pair: not pair[1]):
            self._read_shape(shape, is_title=wanted)
        for notes in self._package.related("notesSlide", part):
            self._read_notes(notes)
        return value_of(root, "show", "1") in ("0", "false")

    def _read_shape(self, shape: Element, *, is_title: bool) -> None:
        if placeholder_of(shape).kind in _FRAME:
            return
        body = child_of(shape, "p:txBody")
        if is_title and body is not None:
            lines = [self._text(paragraph) for paragraph in body if name_of(paragraph.tag) == "a:p"]
            self._composition.heading(1, collapsed(" ".join(lines).replace(LINE_BREAK, " ")))
        elif body is not None:
            self._read_body(body, shape)
        for found in _contents(shape):
            kind = name_of(found.tag)
            if kind == "a:tbl":
                self._composition.write("table", self._table(found))
            else:
                write_drawing(self._composition, self._package, self._slide, kind, found)

    def _read_body(self, body: Element, shape: Element) -> None:
        counters = Counters()
        placeholder, style = placeholder_of(shape), child_of(body, "a:lstStyle")
        for paragraph in body:
            if name_of(paragraph.tag) != "a:p":
                continue
            text = collapsed(self._text(paragraph))
            if not plain_text(text).text.strip():
                continue
            properties = child_of(paragraph, "a:pPr")
            depth = number(value_of(properties, "lvl")) if properties is not None else 0
            depth = min(max(depth, 0), LEVELS - 1)
            bullet = bullet_of(properties) or self._bullets.of(self._slide, placeholder, style, depth)
            marker = counters.marker(bullet, depth)
            if marker:
                self._composition.item(depth, f"{marker} {text}")
            else:
                self._composition.write("paragraph", text)

    def _read_notes(self, part: str) -> None:
        shapes = _shapes(child_of(self._package.parse(part), "p:cSld", "p:spTree"))
        bodies = [child_of(shape, "p:txBody") for shape in shapes if placeholder_of(shape).kind == "body"]
        paragraphs = [paragraph for body in bodies if body is not None for paragraph in body.iterchildren("{*}p")]
        texts = [
            text
            for text in (collapsed(self._text(paragraph)) for paragraph in paragraphs)
            if plain_text(text).text.strip()
        ]
        if texts:
            self._composition.section(2, NOTES)
            for text in texts:
                self._composition.write("paragraph", text)

    # Tables

    def _table(self, element: Element) -> str:
        table = Table(self._composition.copies)
        merged: dict[int, str] = {}  # by column: the text of the cell that goes on below
        for row in element.iterchildren("{*}tr"):
            cells = []
            for column, cell in enumerate(row.iterchildren("{*}tc")):
                if value_of(cell, "hMerge", "0") in ("1", "true"):
                    continue
                text = self._cell_text(cell)
                if value_of(cell, "vMerge", "0") in ("1", "true"):
                    text = merged.get(column, "") if self._composition.copies.take(1) else ""
                elif number(value_of(cell, "rowSpan"), 1) > 1:
                    plain = plain_text(text).text
                    merged[column] = plain if len(plain) <= MAX_REPEATED else ""
                cells.append(Cell(text, max(number(value_of(cell, "gridSpan"), 1), 1)))
            table.row(cells)
        return table.text

    def _cell_text(self, cell: Element) -> str:
        body = child_of(cell, "a:txBody")
        paragraphs = body.iterchildren("{*}p") if body is not None else ()
        joined = " ".join(self._text(paragraph) for paragraph in paragraphs).replace(LINE_BREAK, " ")
        return " ".join(joined.split())

    # Text

    def _text(self, paragraph: Element) -> str:
        """A paragraph's text with marks, not yet collapsed."""
        pieces: list[str] = []
        self._add_text(paragraph, pieces)
        return "".join(pieces)

    def _add_text(self, parent: Element, pieces: list[str]) -> None:
        for child in parent:
            kind = name_of(child.tag)
            if kind in ("a:r", "a:fld"):
                self._add_run(child, pieces)
            elif kind == "a:br":
                pieces.append(LINE_BREAK)
            elif kind == "mc:AlternateContent":
                found = chosen(child)
                if found is not None:
                    self._add_text(found, pieces)
            elif kind == "m:oMath":
                pieces.append(formula_text(child))
            elif kind and not kind.endswith("Pr"):
                self._add_text(child, pieces)

    def _add_run(self, run: Element, pieces: list[str]) -> None:
        text, properties, font = child_of(run, "a:t"), child_of(run, "a:rPr"), child_of(run, "a:rPr", "a:sym")
        written = visible(text.text or "") if text is not None else ""
        if font is not None:  # PowerPoint makes a letter of Wingdings of `-->`
            written = without_private(written, value_of(font, "typeface"))
        raised = number(value_of(properties, "baseline").removesuffix("%")) if properties is not None else 0
        if properties is not None and value_of(properties, "strike", "noStrike") != "noStrike":
            self._has_struck = True
        elif raised and written:
            add_marked(pieces, RAISED if raised > 0 else LOWERED, [written])
        else:
            pieces.append(written.replace("\v", LINE_BREAK))


def _shapes(tree: Element | None) -> Iterator[Element]:
    """The shapes of a slide that can hold text, those of groups in their place."""
    if tree is not None:
        for _, shape in unwrapped(tree, _SHAPES, lambda name, _: name == "p:grpSp"):
            if not _is_hidden(shape):
                yield shape


def _is_hidden(shape: Element) -> bool:
    for part in ("p:nvSpPr", "p:nvGraphicFramePr", "p:nvCxnSpPr"):
        found = child_of(shape, part, "p:cNvPr")
        if found is not None:
            return value_of(found, "hidden", "0") in ("1", "true")
    return False


def _contents(shape: Element) -> Iterator[Element]:
    """The tables, diagrams and charts that a frame holds."""
    data = child_of(shape, "a:graphic", "a:graphicData")
    for child in data if data is not None else ():
        if name_of(child.tag) in ("a:tbl", "dgm:relIds", "c:chart", "cx:chart"):
            yield child
