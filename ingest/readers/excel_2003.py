"""A workbook in the XML of Excel 2002 and 2003 in, its sheets out. Programs that make reports still write it, as `.xls`.

The format states the type of each value and, by styles, the format that it is shown in; dates are written out.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ingest.readers.number_formats import is_of_days, serial_shown
from ingest.readers.sheet_rows import LAST_COLUMN, LAST_ROW, Cell, Sheet
from ingest.readers.xml_tree import parse_xml, text_of
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.readers.xml_tree import Element

_ADDRESS = "urn:schemas-microsoft-com:office:spreadsheet"
_HEAD_BYTES = 4000  # in which the root stands
_ROOT = re.compile(rb"<(?:[\w-]{1,20}:)?Workbook\s[^<>]*" + _ADDRESS.encode())
_MAX_PARENTS = 20  # styles above each other
_NAMED_FORMATS = {
    "Fixed": "0.00", "Standard": "#,##0.00", "Currency": "#,##0.00", "Euro Currency": "€ #,##0.00", "Percent": "0.00%",
}  # fmt: skip
_DATE = "yyyy-mm-dd"
_FIRST_DAY, _FIRST_MARCH = datetime(1899, 12, 30), datetime(1900, 3, 1)


def is_workbook(data: bytes) -> bool:
    """Whether a file begins as such a workbook does."""
    return bool(_ROOT.search(data[:_HEAD_BYTES].replace(b"\0", b"")))  # UTF-16 has a NUL beside each of these letters


def sheets(data: bytes, source: str) -> Iterator[Sheet]:
    """The sheets of a workbook in their order; UnreadableDocument where it is none."""
    root = parse_xml(data.lstrip(b"\t\r\n "), source)
    if root.tag != _named("Workbook"):
        raise UnreadableDocument(f"{source} is not a workbook of Excel 2003, whose XML begins with an element Workbook")
    styles = {_value(style, "ID"): style for style in root.iter(_named("Style"))}
    codes = {name: _format(name, styles) for name in styles}
    for sheet in root.iterchildren(_named("Worksheet")):
        visible = next(iter(sheet.iterfind("{*}WorksheetOptions/{*}Visible")), None)
        yield Sheet(_value(sheet, "Name"), text_of(visible).startswith("SheetHidden"), _rows(sheet, codes))


def _format(style: str, styles: dict[str, Element]) -> str:
    """The format of a style or else of the one that it is based on."""
    for _ in range(_MAX_PARENTS):
        element = styles.get(style)
        if element is None:
            break
        found = element.find(_named("NumberFormat"))
        if found is not None:
            code = _value(found, "Format")
            is_date = code.endswith((" Date", " Time"))  # Short Date, General Date
            return _DATE if is_date else _NAMED_FORMATS.get(code, code)
        style = _value(element, "Parent")
    return ""


def _rows(sheet: Element, codes: dict[str, str]) -> Iterator[tuple[int, dict[int, Cell]]]:
    number = 0
    for row in sheet.iterfind(f"{_named('Table')}/{_named('Row')}"):
        number = _count(row, "Index", number + 1)
        if number > LAST_ROW:
            return
        yield number, dict(_cells(row, number, codes))
        number += _count(row, "Span", 0)


def _cells(row: Element, number: int, codes: dict[str, str]) -> Iterator[tuple[int, Cell]]:
    column = 0
    for cell in row.iterchildren(_named("Cell")):
        column = _count(cell, "Index", column + 1)
        if column > LAST_COLUMN:
            return
        last_row = min(number + _count(cell, "MergeDown", 0), LAST_ROW)
        last_column = min(column + _count(cell, "MergeAcross", 0), LAST_COLUMN)
        data = cell.find(_named("Data"))
        style = _value(cell, "StyleID") or _value(row, "StyleID")
        text = _shown(text_of(data), _value(data, "Type"), codes.get(style, "")) if data is not None else ""
        if text:
            yield column, Cell(text, number, column, last_row, last_column)
        column = last_column


def _shown(text: str, kind: str, code: str) -> str:
    """A value as the cell shows it; text that is not of its type stays as it is."""
    try:
        if kind == "Number":
            return serial_shown(float(text), code)
        if kind == "DateTime":
            days = _serial(datetime.fromisoformat(text))
            return serial_shown(days, code if is_of_days(code) else _DATE) if days >= 0 else text
    except ValueError:
        return text
    return {"0": "FALSE", "1": "TRUE"}.get(text, text) if kind == "Boolean" else text


def _serial(moment: datetime) -> float:
    """The number by which a sheet keeps a moment: the days since the first one, less one that it has in 1900 too much."""
    moment = moment.replace(tzinfo=None)
    days = (moment - _FIRST_DAY) / timedelta(days=1)
    return days if moment >= _FIRST_MARCH else days - 1


def _named(name: str) -> str:
    return f"{{{_ADDRESS}}}{name}"


def _value(element: Element, name: str) -> str:
    value: str = element.get(_named(name), "")
    return value


def _count(element: Element, name: str, otherwise: int) -> int:
    written = _value(element, name)
    return int(written) if written.isdecimal() and len(written) < 8 else otherwise
