"""What python-calamine does not tell of an XLSX: which cells show an error, and how a number is to be shown.

Only the tags of cells are looked at, so that a sheet costs little more than it does without. Number formats are followed as
far as they are the same in every country: percent, decimals, a unit or currency; separators of thousands are left out.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ingest.readers.xml_tree import local_name, named, parse_xml
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.readers.archive import Archive
    from ingest.readers.xml_tree import Element

MAX_AREA = 20_000_000  # cells between the first and the last that is filled: calamine makes room for each of them
_LEAST_FILLED = 1 / 50  # of a larger area
_CELL = re.compile(rb"<(?:[A-Za-z_][\w.-]{0,20}:)?c\s([^<>]{0,400})(?<!/)>")
_REFERENCE = re.compile(rb"""\br=["']([A-Z]{1,3})([0-9]{1,7})["']""")
_STYLE, _ERROR = re.compile(rb"""\bs=["']([0-9]{1,6})["']"""), re.compile(rb"""\bt=["']e["']""")
_VALUE = re.compile(rb"<(?:[A-Za-z_][\w.-]{0,20}:)?v>\s*(#[A-Z0-9/?!_]{1,20})\s*<")
_MAX_FORMULA = 10_000  # bytes between the tag of a cell and its value
_BUILT_IN = {1: "0", 3: "#,##0", 2: "0.00", 4: "#,##0.00", 9: "0%", 10: "0.00%"}
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\]-]*)(?:-[^\]]*)?\]|\[[^\]]*\]|_.|\*.')
_DIGITS = re.compile(r"([#0?,]*[0#?])(?:\.([0#?]*))?")
_NOT_PLAIN = re.compile(r"[A-DF-Za-df-zE@/]")  # dates, exponents, fractions, text


class NumberFormat(NamedTuple):
    """How a number is written: `12.5 %` has one decimal, a percent sign, and a space before it.

    Of the decimals so many are written even where they are 0. `least_digits` stand before the point, so that a postal
    code keeps its zeros: 01097.
    """

    decimals: int
    least_decimals: int
    least_digits: int
    is_percent: bool
    before: str = ""
    after: str = ""

    def written(self, number: float) -> str:
        """The number as this format shows it.

        >>> NumberFormat(1, 1, 1, True, after="%").written(0.125), NumberFormat(2, 0, 5, False).written(1097.5)
        ('12.5%', '01097.5')
        """
        whole, _, decimals = f"{abs(number) * (100 if self.is_percent else 1):.{self.decimals}f}".partition(".")
        decimals = decimals[: self.least_decimals] + decimals[self.least_decimals :].rstrip("0")
        digits = whole.zfill(self.least_digits) + (f".{decimals}" if decimals else "")
        sign = "-" if number < 0 and digits.strip("0.") else ""
        return f"{sign}{self.before}{digits}{self.after}"


@dataclass(frozen=True)
class SheetFormats:
    """The errors and the number formats of a sheet, by row and column."""

    errors: dict[tuple[int, int], str]
    numbers: dict[tuple[int, int], NumberFormat]


NO_FORMATS = SheetFormats({}, {})


def number_format(code: str) -> NumberFormat | None:
    """The format behind its code, None for one of another kind (dates, `General`, fractions).

    >>> form = number_format("#,##0.00 €")
    >>> form.written(1250.5) if form else "", number_format("yyyy-mm-dd"), number_format("General")
    ('1250.50 €', None, None)
    """
    section = code.split(";")[0][:200]
    literals: list[str] = []

    def keep(literal: re.Match[str]) -> str:
        literals.append(literal[1] or literal[2] or literal[3] or "")
        return "\0"

    bare = _LITERAL.sub(keep, section)
    digits = _DIGITS.search(bare)
    if not digits or _NOT_PLAIN.search(bare) or bare[digits.end() :].startswith(","):
        return None  # a comma at the end divides by a thousand
    kept = iter(literals)
    before = re.sub("\0", lambda _: next(kept), bare[: digits.start()])
    after = re.sub("\0", lambda _: next(kept), bare[digits.end() :])
    if re.search("[#0?]", after):
        return None
    decimals = digits[2] or ""
    return NumberFormat(
        len(decimals), decimals.count("0"), digits[1].count("0"), "%" in bare, before.lstrip(), after.rstrip()
    )


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
    if relations in archive:
        for relation in named(parse_xml(archive.read(relations), source, relations), "Relationship"):
            target = relation.get("Target", "")
            targets[relation.get("Id", "")] = posixpath.normpath(posixpath.join("/xl", target)).lstrip("/")
    workbook = parse_xml(archive.read("xl/workbook.xml"), source, "xl/workbook.xml")
    for sheet in named(workbook, "sheet"):
        identity = next((str(value) for key, value in sheet.attrib.items() if local_name(str(key)) == "id"), "")
        name = targets.get(identity, "")
        yield name if name in archive else ""


def _styles(archive: Archive, source: str) -> list[NumberFormat | None]:
    """The format of numbers in each style of cells."""
    if "xl/styles.xml" not in archive:
        return []
    root = parse_xml(archive.read("xl/styles.xml"), source, "xl/styles.xml")
    codes = {
        **_BUILT_IN,
        **{_number(element, "numFmtId"): element.get("formatCode", "") for element in named(root, "numFmt")},
    }
    styles = next(named(root, "cellXfs"), ())
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
    errors: dict[tuple[int, int], str] = {}
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
            errors[place] = value[1].decode() if value else "#ERROR!"
        elif style and int(style[1]) < len(styles) and (found := styles[int(style[1])]):
            numbers[place] = found
    area = (rows[1] - rows[0] + 1) * (columns[1] - columns[0] + 1)
    if area > MAX_AREA and count < area * _LEAST_FILLED:
        raise UnreadableDocument(
            f"{source} has a sheet of {count:,} cells that stand {rows[1] - rows[0] + 1:,} rows and "
            f"{columns[1] - columns[0] + 1:,} columns apart: delete those that stand far from the others"
        )
    return SheetFormats(errors, numbers)
