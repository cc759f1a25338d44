"""What python-calamine does not tell of an XLSX: which cells show an error, and how a number is to be shown.

Only the tags of cells are looked at, so that a sheet costs little more than it does without.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.readers.number_formats import number_format
from ingest.readers.xml_tree import local_name, named, parse_xml
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.readers.archive import Archive
    from ingest.readers.number_formats import NumberFormat
    from ingest.readers.xml_tree import Element

MAX_AREA = 20_000_000  # cells between the first and the last that is filled: calamine makes room for each of them
_LEAST_FILLED = 1 / 50  # of a larger area
_CELL = re.compile(rb"<(?:[A-Za-z_][\w.-]{0,20}:)?c\s([^<>]{0,400})(?<!/)>")
_REFERENCE = re.compile(rb"""\br=["']([A-Z]{1,3})([0-9]{1,7})["']""")
_STYLE, _ERROR = re.compile(rb"""\bs=["']([0-9]{1,6})["']"""), re.compile(rb"""\bt=["']e["']""")
_VALUE = re.compile(rb"<(?:[A-Za-z_][\w.-]{0,20}:)?v>\s*(#[A-Z0-9/?!_]{1,20})\s*<")
_MAX_FORMULA = 10_000  # bytes between the tag of a cell and its value
_STYLES = "xl/styles.xml"
_REFUSED = (  # by the entry that says so: what the library refuses, and what is put in its place
    (
        "xl/_rels/workbook.xml.rels",
        re.compile(rb"http://schemas\.microsoft\.com/office/2006/relationships/xl(?:Intl)?Macrosheet"),
        b"http://schemas.openxmlformats.org/officeDocument/2006/relationships/chartsheet",
    ),
    (
        "xl/_rels/workbook.bin.rels",
        re.compile(rb"""(\bTarget\s{0,9}=\s{0,9}["'](?:/?xl/)?)macrosheets/"""),
        rb"\1chartsheets/",
    ),
    ("xl/workbook.xml", re.compile(rb"""<(?:\w{1,20}:)?sheet\s[^<>]*:id=(?:""|'')[^<>]*/>"""), b""),
)
_BUILT_IN = {1: "0", 3: "#,##0", 2: "0.00", 4: "#,##0.00", 9: "0%", 10: "0.00%"}


@dataclass(frozen=True)
class SheetFormats:
    """What a sheet shows instead of some values, such as errors, and its number formats, by row and column."""

    texts: dict[tuple[int, int], str]
    numbers: dict[tuple[int, int], NumberFormat]


NO_FORMATS = SheetFormats({}, {})


def without_refused_sheets(data: bytes, archive: Archive) -> bytes:
    """The workbook, `archive` being what it holds, as the library can open it.

    It refuses a whole workbook for one sheet of macros, as Excel 4 had them, and for one that leads nowhere, as is left of
    a module. The former are called charts here, of which nothing is read; the latter are left out.
    """
    changed = {}
    for entry, pattern, written in _REFUSED:
        if entry in archive and pattern.search(before := archive.read(entry)):
            changed[archive.found(entry)] = pattern.sub(written, before)
    return archive.rewritten(changed) if changed else data


def formats_of(archive: Archive, source: str) -> list[SheetFormats]:
    """The formats of each sheet, in the order of the workbook; UnreadableDocument where cells stand too far apart."""
    if "xl/workbook.xml" not in archive:
        return []
    styles = _styles(archive, source)
    return [
        _formats(archive.read(name), styles, source) if name else NO_FORMATS for name in _sheet_names(archive, source)
    ]


def _sheet_names(archive: Archive, source: str) -> Iterator[str]:
    """The entry of each sheet, "" where there is none."""
    relations = "xl/_rels/workbook.xml.rels"
    targets = {}
    for relation in _all(archive, relations, source, "Relationship"):
        target = relation.get("Target", "")
        targets[relation.get("Id", "")] = posixpath.normpath(posixpath.join("/xl", target)).lstrip("/")
    for sheet in _all(archive, "xl/workbook.xml", source, "sheet"):
        identity = next((str(value) for key, value in sheet.attrib.items() if local_name(str(key)) == "id"), "")
        name = targets.get(identity, "")
        yield name if name in archive else ""


def _all(archive: Archive, entry: str, source: str, name: str) -> Iterator[Element]:
    """The elements of a name in an entry; none where it is missing, broken or larger than is worth it for the formats."""
    try:
        if entry in archive:
            yield from named(parse_xml(archive.read(entry), source, entry), name)
    except UnreadableDocument:
        return


def _styles(archive: Archive, source: str) -> list[NumberFormat | None]:
    """The format of numbers in each style of cells."""
    codes = dict(_BUILT_IN)
    for element in _all(archive, _STYLES, source, "numFmt"):
        codes[_number(element, "numFmtId")] = element.get("formatCode", "")
    styles = next(_all(archive, _STYLES, source, "cellXfs"), ())
    return [number_format(codes.get(_number(style, "numFmtId"), "")) for style in styles]


def _number(element: Element, name: str) -> int:
    written = element.get(name, "")
    return int(written) if written.isdecimal() and len(written) < 8 else -1


def _column(name: bytes) -> int:
    """The number of a column: A is 1, AB is 28."""
    number = 0
    for letter in name:
        number = number * 26 + letter - ord("A") + 1
    return number


def _formats(data: bytes, styles: list[NumberFormat | None], source: str) -> SheetFormats:
    texts: dict[tuple[int, int], str] = {}
    numbers: dict[tuple[int, int], NumberFormat] = {}
    count, rows, columns = 0, [0, 0], [0, 0]
    for cell in _CELL.finditer(data):
        reference = _REFERENCE.search(cell[1])
        if not reference:
            continue
        place = int(reference[2]), _column(reference[1])
        rows, columns = (
            [min(some[0] or at, at), max(some[1], at)] for some, at in zip((rows, columns), place, strict=True)
        )
        count += 1
        style = _STYLE.search(cell[1])
        if _ERROR.search(cell[1]):
            value = _VALUE.search(data, cell.end(), cell.end() + _MAX_FORMULA)
            texts[place] = value[1].decode() if value else "#ERROR!"
        elif style and int(style[1]) < len(styles) and (found := styles[int(style[1])]):
            numbers[place] = found
    _check_area(count, rows[1] - rows[0] + 1, columns[1] - columns[0] + 1, source)
    return SheetFormats(texts, numbers)


def _check_area(count: int, rows: int, columns: int, source: str) -> None:
    if rows * columns > MAX_AREA and count < rows * columns * _LEAST_FILLED:
        raise UnreadableDocument(
            f"{source} has a sheet of {count:,} cells that stand {rows:,} rows and {columns:,} columns apart: delete those "
            "that stand far from the others"
        )
