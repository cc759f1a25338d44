"""An XML document of any kind in, its text by elements out; of an SVG drawing its title, its descriptions and its texts.

No vocabulary is known. An element that stands among text is a part of the line, any other is a block; one called `title`,
`head` or the like is the heading of the element around it, as in DocBook, DITA, TEI and JATS. Values of attributes are no
text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.readers.composition import Cell, Composition, Table, visible
from ingest.readers.html.vocabulary import names
from ingest.readers.xml_tree import local_name, parse_xml, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile
    from ingest.readers.xml_tree import Element

_HEADINGS = names("title head heading headline h1 h2 h3 h4 h5 h6")
_ITEMS = names("li listitem item")
_CODE = names("programlisting screen codeblock literallayout pre verbatim listing")
_ROWS, _CELLS = names("tr row strow sthead"), names("td th entry cell stentry")
_PARTS_OF_TABLES = names("thead tbody tfoot tgroup")
# What is a block even where it stands among text.
_BLOCKS = (
    _HEADINGS | _ITEMS | _CODE | _ROWS | _CELLS | names("p para paragraph section div table list ul ol blockquote")
)
_NO_TEXT = names("binary script style")  # FictionBook keeps its pictures in the first
_MAX_HEADING = 400  # characters


def read(file: RawFile) -> Iterator[Document]:
    """The one document of a file of XML."""
    root = parse_xml(file.data, file.source)
    composition = Composition()
    if local_name(root.tag) == "svg":
        _read_shapes(root, composition)
        own = (child for child in root if local_name(child.tag) == "title")
        yield composition.document(file, text_of(next(own, None)))
    else:
        reader = _Reader(composition)
        reader.read(root, 1)
        reader.flush()
        yield composition.document(file)


class _Reader:
    """Goes through a tree once, and gathers the text of one block after another."""

    def __init__(self, composition: Composition) -> None:
        self._composition = composition
        self._pieces: list[str] = []
        self._kind, self._level, self._line = "paragraph", 0, 0
        self._table: Table | None = None

    def read(self, element: Element, depth: int, *, in_line: bool = False) -> None:
        """Read what stands in an element; `in_line`: it stands among text."""
        self._add(element.text, element)
        among_text = in_line or _has_text(element)
        for child in element:
            name = local_name(child.tag).lower()
            if name in _NO_TEXT:
                pass
            elif name in _ROWS and _is_row(child):
                self._read_row(child)
            elif name in _PARTS_OF_TABLES:
                self.read(child, depth + 1)
            elif among_text and name not in _BLOCKS:
                self.read(child, depth + 1, in_line=True)
            else:
                self._read_block(child, name, depth)
            self._add(child.tail, child)

    def _read_block(self, element: Element, name: str, depth: int) -> None:
        self.flush()
        around = self._kind, self._level
        self._kind, self._level = _KINDS.get(name, "paragraph"), depth
        if len(element):
            self._composition.enter(depth + 1, "")
        self.read(element, depth + 1)
        self.flush()
        if len(element):
            self._composition.enter(depth + 1, "")  # headings within it say nothing about what follows
        self._kind, self._level = around

    def _read_row(self, row: Element) -> None:
        if self._table is None:
            self.flush()
            self._table = Table(self._composition.copies)
            self._line = max(self._line, row.sourceline or 0)
        self._table.row([Cell(text_of(cell)) for cell in row if _is_cell(cell)])

    def _add(self, text: str | None, element: Element) -> None:
        """Text behind the tag of an element, or behind all of it: no parser tells lines but those of tags."""
        if text and not (text.isspace() and not self._pieces):
            if not self._pieces:
                self._end_table()
                lead = text[: len(text) - len(text.lstrip())]
                self._line = max(self._line, (element.sourceline or 0) + lead.count("\n"))
            self._pieces.append(visible(text))

    def _end_table(self) -> None:
        table, self._table = self._table, None
        if table is not None:
            self._composition.begin_line(self._line)
            self._composition.write("table", table.text)

    def flush(self) -> None:
        """End the block that is being read."""
        self._end_table()
        text, self._pieces = "".join(self._pieces), []
        if not text or text.isspace():
            return
        self._composition.begin_line(self._line)
        line = " ".join(text.split())
        if self._kind == "code":
            self._composition.write("code", text.strip("\r\n").rstrip())
        elif self._kind == "heading" and len(line) <= _MAX_HEADING:
            self._composition.heading(self._level, line)
        elif self._kind == "list":
            self._composition.item(0, f"- {line}")
            self._kind = "paragraph"  # what follows in the same item
        else:
            self._composition.write("paragraph", line)


_KINDS = {**dict.fromkeys(_HEADINGS, "heading"), **dict.fromkeys(_ITEMS, "list"), **dict.fromkeys(_CODE, "code")}


def _is_row(element: Element) -> bool:
    """Whether an element has cells, and no word outside them that a row of cells would lose."""
    cells = [child for child in element if _is_cell(child)]
    others = (child for child in element if not _is_cell(child) and local_name(child.tag).lower() not in _NO_TEXT)
    return bool(cells) and not _has_text(element) and all(text_of(other) == "" for other in others)


def _is_cell(element: Element) -> bool:
    return local_name(element.tag).lower() in _CELLS


def _has_text(element: Element) -> bool:
    """Whether text stands between the elements in it."""
    texts = (element.text, *(child.tail for child in element))
    return any(text and not text.isspace() for text in texts)


# Drawings

_HIDDEN_SHAPES = names("metadata style script defs symbol clipPath mask pattern marker linearGradient radialGradient")
_SHAPES_WITH_TEXT = {"title": "heading", "desc": "paragraph", "text": "paragraph", "foreignObject": "paragraph"}
_MOVES = ("x", "y", "dx", "dy")


def _read_shapes(element: Element, composition: Composition) -> bool:
    """Write the texts of a drawing; whether there were any."""
    found = False
    for child in element:
        name = local_name(child.tag)
        if name in _HIDDEN_SHAPES or child.get("display") == "none" or child.get("visibility") == "hidden":
            continue
        if name in _SHAPES_WITH_TEXT:
            text = " ".join("".join(_pieces(child)).split())
            kind = _SHAPES_WITH_TEXT[name]
            composition.begin_line(child.sourceline or 0)
            if kind == "heading" and local_name(element.tag) == "svg" and text:
                composition.heading(1, text)
            else:
                composition.write("paragraph", text)
            found = found or bool(text)
        elif _read_shapes(child, composition):
            found = True
            if local_name(element.tag) == "switch":
                break  # the others say the same for programs that cannot show this one
            continue
        if found and local_name(element.tag) == "switch":
            break
    return found


def _pieces(element: Element) -> Iterator[str]:
    """The text of a shape, with a space where a part of it is moved to another place."""
    waiting: list[tuple[Element, bool]] = [(element, False)]
    while waiting:
        part, is_over = waiting.pop()
        if is_over:
            yield part.tail or ""
            continue
        if part is not element:
            if any(part.get(name) is not None for name in _MOVES) or local_name(part.tag) not in ("tspan", "a"):
                yield " "
            waiting.append((part, True))
        yield part.text or ""
        waiting += [(child, False) for child in reversed(part)]
