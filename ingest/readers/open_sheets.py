"""The content of an OpenDocument spreadsheet in, its sheets out: values by their types, and as the cells show them.

Percentages, amounts of money, errors and times longer than a day are taken as a cell shows them, other values by what the
cell says that they are. A row or a cell may stand for many of its like; empty ones, which mostly fill the rest of a sheet,
cost nothing.
"""

from __future__ import annotations

import re
from datetime import datetime, time
from typing import TYPE_CHECKING

from ingest.readers.number_formats import serial_shown, shown
from ingest.readers.odt.names import all_named, child_of, name_of, value_of, whole
from ingest.readers.sheet_rows import LAST_COLUMN, LAST_ROW, Cell, Sheet
from ingest.readers.xml_tree import parse_xml
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ingest.readers.xml_tree import Element

MAX_COPIED = 20_000_000  # characters of the cells of a sheet that repeat others, each at least one
_GROUPS = frozenset(
    ("table:table-header-rows", "table:table-rows", "table:table-row-group", "table:table-columns", "table:shapes")
)
_CELLS = frozenset(("table:table-cell", "table:covered-table-cell"))
_PARAGRAPHS = frozenset(("text:p", "text:h"))
_SHOWN_TYPES = ("percentage", "currency")
_ERROR_SHOWN = re.compile(r"#[A-Z0-9/!?]{2,10}\Z|Err:\d+\Z")
_DURATION = re.compile(r"PT(\d\d?)H(?:(\d\d?)M)?(?:(\d\d?)(?:[.,]\d{1,20})?S)?", re.ASCII)
_MAX_SPACES = 100  # that one element stands for


def sheets(data: bytes, source: str, entry: str = "") -> Iterator[Sheet]:
    """The sheets in the XML of a spreadsheet, which is the entry of an archive or, without one, the whole file."""
    root = parse_xml(data, source, entry)
    body = child_of(child_of(root, "office:body"), "office:spreadsheet")
    if body is None:
        raise UnreadableDocument(f"{source} is an OpenDocument file without the spreadsheet that its name promises")
    hidden = {
        value_of(style, "style:name")
        for style in all_named(root, "style:style")
        if value_of(child_of(style, "style:table-properties"), "table:display") == "false"
    }
    for table in body:
        if name_of(table.tag) == "table:table":
            is_hidden = value_of(table, "table:style-name") in hidden
            yield Sheet(value_of(table, "table:name"), is_hidden, _rows(table, source))


def _rows(table: Element, source: str) -> Iterator[tuple[int, dict[int, Cell]]]:
    number = 1
    copied = 0
    for row in _row_elements(table):
        times = _times(row, "table:number-rows-repeated")
        cells = list(_cells(row, number, source))
        yield number, {cell.column: cell for cell in cells}
        copied += (times - 1) * sum(len(cell.text) for cell in cells)
        _check_copies(copied, source)
        for more in range(1, min(times, LAST_ROW + 1 - number) if cells else 0):
            yield number + more, {cell.column: _below(cell, more) for cell in cells}
        number += times
        if number > LAST_ROW:
            return


def _row_elements(parent: Element) -> Iterator[Element]:
    for child in parent:
        name = name_of(child.tag)
        if name == "table:table-row":
            yield child
        elif name in _GROUPS:
            yield from _row_elements(child)


def _cells(row: Element, number: int, source: str) -> Iterator[Cell]:
    """The cells of a row that have a value."""
    column = 1
    copied = 0
    for element in row:
        if name_of(element.tag) not in _CELLS:
            continue
        times = _times(element, "table:number-columns-repeated")
        text = _value(element)
        if text:
            copied += (times - 1) * len(text)
            _check_copies(copied, source)
            rows, columns = (_times(element, f"table:number-{part}-spanned") for part in ("rows", "columns"))
            for first in range(column, min(column + times, LAST_COLUMN + 1)):
                last_row, last_column = min(number + rows - 1, LAST_ROW), min(first + columns - 1, LAST_COLUMN)
                yield Cell(text, number, first, last_row, last_column)
        column += times
        if column > LAST_COLUMN:
            return


def _below(cell: Cell, rows: int) -> Cell:
    return cell._replace(row=cell.row + rows, last_row=min(cell.last_row + rows, LAST_ROW))


def _times(element: Element, name: str) -> int:
    written = value_of(element, name)
    return max(whole(written, 1), 1) if written else 1


def _check_copies(copied: int, source: str) -> None:
    if copied > MAX_COPIED:
        raise UnreadableDocument(
            f"{source} has a sheet in which cells with a value are repeated until they hold {copied:,} characters, the limit "
            f"is {MAX_COPIED:,}: delete those that are not needed"
        )


def _value(cell: Element) -> str:
    """The value of a cell as people see it, "" for none."""
    kind, written = value_of(cell, "office:value-type"), _text(cell)
    value = value_of(cell, _ATTRIBUTES.get(kind, "office:value")) or value_of(cell, "office:string-value")
    is_error = bool(_ERROR_SHOWN.match(written)) and bool(value_of(cell, "table:formula"))
    if written and (kind in _SHOWN_TYPES or is_error or kind not in _SHOWN):
        return written
    try:
        return _SHOWN[kind](value) if kind in _SHOWN else value
    except (ValueError, OverflowError):
        return written or value


def _moment(value: str) -> str:
    moment = datetime.fromisoformat(value)
    return shown(moment if "T" in value else moment.date())


def _duration(value: str) -> str:
    """The time of a day; ValueError for what is longer: only the format tells a moment from a length of time."""
    found = _DURATION.fullmatch(value)
    if not found:
        raise ValueError(f"{value!r} is no time of a day")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return shown(time(hours, minutes, seconds))


_ATTRIBUTES = {"date": "office:date-value", "time": "office:time-value", "boolean": "office:boolean-value"}
_SHOWN: dict[str, Callable[[str], str]] = {
    "float": lambda value: shown(float(value)),
    "currency": lambda value: shown(float(value)),
    "percentage": lambda value: serial_shown(float(value), "0.##########%"),
    "date": _moment,
    "time": _duration,
    "boolean": str.upper,
}


def _text(cell: Element) -> str:
    """The paragraphs of a cell in one line; its comment has some of its own."""
    paragraphs = (child for child in cell if name_of(child.tag) in _PARAGRAPHS)
    texts = ("".join(_pieces(paragraph)) if len(paragraph) else paragraph.text or "" for paragraph in paragraphs)
    return " ".join(" ".join(texts).split())


def _pieces(element: Element) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        name = name_of(child.tag)
        if name == "text:s":
            yield " " * min(whole(value_of(child, "text:c"), 1), _MAX_SPACES)
        elif name in ("text:tab", "text:line-break"):
            yield " "
        elif name == "text:ruby-text":
            yield f"({''.join(_pieces(child))})"
        elif name != "office:annotation":
            yield from _pieces(child)
        yield child.tail or ""
