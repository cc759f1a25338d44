"""A workbook in (XLSX, XLSM, XLSB, XLS, ODS), its sheets out: each a heading and its tables, a line for each row.

python-calamine reads the cells of Microsoft's formats. Empty rows divide tables. A row that fills one cell above a table of
several columns is a title of it and no header. Each value knows its cell, or the block of cells that are merged into it.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from ingest.document import Block, HeadingPath, bounded_heading
from ingest.places import Cells, Place
from ingest.readers import delimited, excel_2003, open_sheets
from ingest.readers.archive import Archive
from ingest.readers.html import page
from ingest.readers.mail.message import Mail
from ingest.readers.number_formats import shown
from ingest.readers.sheet_formats import NO_FORMATS, formats_of, without_refused_sheets
from ingest.readers.sheet_rows import Cell, Sheet, rows_with_spans
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from ingest.document import Document
    from ingest.readers.raw_file import RawFile
    from ingest.readers.sheet_formats import SheetFormats
    from ingest.readers.sheet_rows import Row

MAX_CELLS = 2_000_000  # with a value, of a workbook; what follows them is left out, and a remark says so
MAX_PLACED_CELLS = 100_000  # beyond, each row has a place instead of each cell
_MAX_EMPTY = 100  # cells of a row in a run, each shown by a divider of its own
_CONTENT = "content.xml"  # of an OpenDocument file
_FLAT = ".fods"
_ZIP = b"PK\x03\x04"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")  # how an XLSX with a password is kept
# How an XLS with a password begins: BOF, perhaps WriteProtect, FilePass ([MS-XLS] 2.1.7.20.3), in BIFF5 and BIFF8.
_FILE_PASS = re.compile(rb"\x09\x08(?:\x08\0\0\x05.{6}|\x10\0\0\x06.{14})(?:\x86\0\0\0)?\x2f\0", re.DOTALL)
# How a page begins that a browser or Excel has saved as a single file: with the header of a mail.
_WEB_ARCHIVE = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:[\w-]+:[^\n]*\n(?:[ \t][^\n]*\n)*+)*?MIME-Version:", re.IGNORECASE)
_CONTAINERS = (_ZIP, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")  # what a workbook begins with
_SAMPLE = 200  # rows and columns that tell whether there is a header


def read(file: RawFile) -> Iterator[Document]:
    """The one document of a workbook; what only calls itself .xls is read as the web page, archive or table that it is."""
    if file.data.startswith(_CONTAINERS):
        yield _document(file, _sheets_of_container(file))
    elif file.suffix == _FLAT:
        yield _document(file, open_sheets.sheets(file.data, file.source))
    elif excel_2003.is_workbook(file.data):
        yield _document(file, excel_2003.sheets(file.data, file.source))
    elif _WEB_ARCHIVE.match(file.data[:1000]):
        archive = Mail(file.data, file.source)
        yield file.document(archive.text, archive.blocks, title=archive.title, converted=True)
    else:
        start = file.data[:1000].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")
        yield from (page if start.startswith(b"<") else delimited).read(file)


def _document(file: RawFile, sheets: Iterable[Sheet]) -> Document:
    writer = _Writer()
    remarks = []
    for sheet in sheets:
        if sheet.is_hidden:
            remarks.append(f"the sheet {bounded_heading(sheet.name)} is hidden")
        writer.write_sheet(sheet.name, rows_with_spans(sheet.rows))
    if writer.left_out:
        remarks.append(f"more than {MAX_CELLS:,} cells are filled, and those that follow were not read")
    return file.document(
        "".join(writer.texts),
        writer.blocks,
        converted=True,
        places=writer.places(),
        remark="; ".join(remarks),
    )


def _sheets_of_container(file: RawFile) -> Iterator[Sheet]:
    """The sheets of cells; charts and macros are no such."""
    if not file.data.startswith(_ZIP):
        if _ENCRYPTED_PACKAGE in file.data or _FILE_PASS.search(file.data):
            raise UnreadableDocument(_protected(file.source))
        yield from _calamine_sheets(file.data, file.source, [])
        return
    archive = Archive(file.data, file.source)
    if "encryption-data" in _entry_text(archive, "META-INF/manifest.xml"):  # of an OpenDocument file
        raise UnreadableDocument(_protected(file.source))
    if _CONTENT in archive:
        yield from open_sheets.sheets(archive.read(_CONTENT), file.source, _CONTENT)
        return
    archive.verify()  # before a library unpacks it without limits
    data = without_refused_sheets(file.data, archive)
    formats = formats_of(Archive(data, file.source) if data is not file.data else archive, file.source)
    yield from _calamine_sheets(data, file.source, formats)


def _calamine_sheets(data: bytes, source: str, formats: Sequence[SheetFormats]) -> Iterator[Sheet]:
    """The sheets as the library reads them; `formats` are those of all sheets, if they are known."""
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(data)) as workbook:
            for number, sheet in enumerate(workbook.sheets_metadata):
                if sheet.typ == SheetTypeEnum.WorkSheet:
                    own = formats[number] if number < len(formats) else NO_FORMATS
                    rows = _rows(workbook.get_sheet_by_index(number), own)
                    yield Sheet(sheet.name, sheet.visible != SheetVisibleEnum.Visible, rows)
    except PasswordError as error:
        raise UnreadableDocument(_protected(source)) from error
    except CalamineError as error:
        raise UnreadableDocument(f"{source} is not a readable workbook ({error}): save it again") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # how a fault in Rust arrives, which is no Exception
            raise
        raise UnreadableDocument(f"{source} is not a readable workbook ({error}): save it again") from error


def _entry_text(archive: Archive, name: str) -> str:
    """An entry as text, "" where there is none."""
    return archive.read(name).decode("utf-8", "replace") if name in archive else ""


def _protected(source: str) -> str:
    return f"{source} is protected by a password: save it without one"


def _rows(sheet: Any, formats: SheetFormats) -> Iterator[tuple[int, dict[int, Cell]]]:
    """The rows of a sheet by their numbers, each the cells with a value by their columns."""
    if sheet.start is None:
        return
    first_row, first_column = sheet.start[0] + 1, sheet.start[1] + 1
    merged = _merged(sheet)
    for row_number, values in enumerate(sheet.to_python(skip_empty_area=True), start=first_row):
        cells: dict[int, Cell] = {}
        for column, value in enumerate(values, start=first_column):
            place = row_number, column
            text = formats.texts.get(place) or shown(value, formats.numbers.get(place))
            if text:
                last_row, last_column = merged.get(place, place)
                cells[column] = Cell(text, row_number, column, max(last_row, row_number), max(last_column, column))
        yield row_number, cells


def _merged(sheet: Any) -> dict[tuple[int, int], tuple[int, int]]:
    """The last row and column of each block of merged cells by its first ones; formats that do not tell have none."""
    return {(first[0] + 1, first[1] + 1): (last[0] + 1, last[1] + 1) for first, last in sheet.merged_cell_ranges or ()}


class _Writer:
    """The text of a workbook as it grows, with its blocks and the cells of each piece."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.blocks: list[Block] = []
        self.left_out = False
        self._length = 0
        self._cells = 0
        self._cell_places: list[Place] = []
        self._row_places: list[Place] = []
        self._path = HeadingPath()

    def places(self) -> list[Place]:
        """A place for each cell, or for each row where there are very many cells."""
        return self._row_places if self._cells > MAX_PLACED_CELLS else self._cell_places

    def write_sheet(self, name: str, rows: Iterable[Row]) -> None:
        """Append a sheet: its name as a heading, and its tables."""
        heading = self._path.enter(1, bounded_heading(name))
        start = self._append("\n\n" if self.texts else "", bounded_heading(name))
        if start < self._length:
            self.blocks.append(Block(start, self._length, "heading", heading))
        for kind, group in _tables(rows):
            self._write_rows(name, kind, group, heading)

    def _write_rows(self, sheet: str, kind: str, rows: Sequence[Row], heading: str) -> None:
        divider, start, first_column = "\n\n", None, 0
        if kind == "table":
            first_column = min(row.cells[0].column for row in rows)
            if len(rows) == 1 or not _has_header(rows, first_column):
                # below an empty row a table goes on with the header it has
                divider, kind = (
                    ("\n", "table") if self.blocks[-1:] and self.blocks[-1].kind == kind else ("\n\n", "rows")
                )
        for row in rows:
            if self._cells >= MAX_CELLS:
                self.left_out = True
                break
            self._append(divider, "")
            divider = "\n"
            start = self._length if start is None else start
            self._write_row(sheet, row, first_column or row.cells[0].column)
        if start is not None:
            self.blocks.append(Block(start, self._length, kind, heading))

    def _write_row(self, sheet: str, row: Row, column: int) -> None:
        """Append a row of a table that begins with this column."""
        row_start = self._length
        for number, cell in enumerate(row.cells):
            empty = min(cell.column - column, _MAX_EMPTY)
            start = self._append((" | " if number else "") + "| " * empty, cell.text)
            column = cell.column + 1
            self._cells += 1
            if self._cells <= MAX_PLACED_CELLS:
                where = Cells(sheet, cell.row, cell.column, cell.last_row, cell.last_column)
                self._cell_places.append(Place(start, self._length, where))
        where = Cells(sheet, row.number, row.cells[0].column, row.number, row.cells[-1].column)
        self._row_places.append(Place(row_start, self._length, where))

    def _append(self, divider: str, text: str) -> int:
        """Where the text begins that was appended behind the divider."""
        start = self._length + len(divider)
        self.texts += (divider, text)
        self._length = start + len(text)
        return start


def _tables(rows: Iterable[Row]) -> Iterator[tuple[str, Sequence[Row]]]:
    """The tables of a sheet, between empty rows, each with the kind of its block; rows of one cell are paragraphs."""
    group: list[Row] = []
    for row in rows:
        if group and row.number > group[-1].number + 1:
            yield from _parts(group)
            group = []
        group.append(row)
    yield from _parts(group)


def _parts(group: Sequence[Row]) -> Iterator[tuple[str, Sequence[Row]]]:
    """What stands above a table, and the table; values in a single column are no table."""
    width = max((len(row.cells) for row in group), default=0)
    if width < 2:
        yield from ((kind, part) for kind, part in [("rows" if len(group) > 3 else "paragraph", group)] if part)
        return
    first = next(number for number, row in enumerate(group) if len(row.cells) >= max(2, (width + 1) // 2))
    if first:
        yield "rows" if any(len(row.cells) > 1 for row in group[:first]) else "paragraph", group[:first]
    yield "table", group[first:]


def _has_header(rows: Sequence[Row], first_column: int) -> bool:
    """Whether the first row names the columns, as far as the first hundreds of rows and columns tell."""
    fields = []
    for row in rows[:_SAMPLE]:
        by_column = {cell.column - first_column: cell.text for cell in row.cells}
        fields.append([by_column.get(column, "") for column in range(min(max(by_column) + 1, _SAMPLE))])
    return delimited.has_header(fields)
