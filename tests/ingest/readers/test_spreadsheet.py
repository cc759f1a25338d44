"""Workbooks: values as people see them, a table for each, and the cells that each value stands in."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime, time
from typing import TYPE_CHECKING, Any

import pytest
import xlsxwriter
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import CoveredTableCell, Table, TableCell, TableRow
from odf.text import P
from office_files import zipped

from ingest.chunk import split_document
from ingest.readers import spreadsheet
from ingest.readers.number_formats import number_format
from ingest.readers.raw_file import RawFile
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.document import Document
    from rag.text.tokenizer import Tokenizer


def workbook(fill: Callable[[Any], None]) -> bytes:
    """The bytes of an XLSX that a function has filled."""
    data = io.BytesIO()
    book = xlsxwriter.Workbook(data, {"in_memory": True})
    fill(book)
    book.close()
    return data.getvalue()


def of_rows(*rows: list[Any], name: str = "Budget") -> bytes:
    """An XLSX of one sheet."""

    def fill(book: Any) -> None:
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)

    return workbook(fill)


def read(data: bytes, name: str = "a.xlsx") -> Document:
    (document,) = spreadsheet.read(RawFile(name, name, "spreadsheet", data))
    held = "".join(document.text[block.start : block.end] for block in document.blocks)
    assert "".join(held.split()) == "".join(document.text.split())
    return document


def blocks(document: Document) -> list[tuple[str, str]]:
    return [(block.kind, document.text[block.start : block.end]) for block in document.blocks]


def places(document: Document) -> list[tuple[str, str]]:
    return [(document.text[place.start : place.end], str(place.where)) for place in document.places]


def test_a_sheet_is_a_heading_and_a_table_whose_values_know_their_cells() -> None:
    document = read(of_rows(["Kind", "2024"], ["Rent", 1250.5], ["Tea", None, "green"]))
    assert document.text == "Budget\n\nKind | 2024\nRent | 1250.5\nTea | | green"
    assert blocks(document) == [("heading", "Budget"), ("table", "Kind | 2024\nRent | 1250.5\nTea | | green")]
    assert {block.heading for block in document.blocks} == {"Budget"}
    assert places(document) == [
        ("Kind", "Budget!A1"),
        ("2024", "Budget!B1"),
        ("Rent", "Budget!A2"),
        ("1250.5", "Budget!B2"),
        ("Tea", "Budget!A3"),
        ("green", "Budget!C3"),
    ]
    assert (document.converted, document.title, document.format) == (True, "a", "spreadsheet")


def test_values_are_shown_as_people_see_them() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet("S")
        shown = [
            (2024, ""),
            (0.1 + 0.2, ""),
            (12345678901234, ""),
            (True, ""),
            (datetime(2024, 5, 1), "dd.mm.yyyy"),
            (datetime(2024, 5, 1, 13, 30), "dd.mm.yyyy hh:mm"),
            (time(9, 5), "hh:mm"),
            (1.5, "[h]:mm"),
            ("two\nlines", ""),
            ("007", ""),
        ]
        for row, (value, form) in enumerate(shown):
            sheet.write(row, 0, f"v{row}")
            sheet.write(row, 1, value, book.add_format({"num_format": form}) if form else None)

    lines = read(workbook(fill)).text.splitlines()[2:]
    assert [line.partition(" | ")[2] for line in lines] == [
        "2024",
        "0.3",
        "12345678901234",
        "TRUE",
        "2024-05-01",
        "2024-05-01 13:30",
        "09:05",
        "36:00",
        "two lines",
        "007",
    ]


def test_empty_rows_and_columns_before_the_data_are_counted() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet("S")
        sheet.write_row(6, 27, ["name", "age"])
        sheet.write_row(7, 27, ["Ann", 41])
        sheet.write(8, 28, 29)

    document = read(workbook(fill))
    assert document.text == "S\n\nname | age\nAnn | 41\n| 29"
    assert [where for _, where in places(document)] == ["S!AB7", "S!AC7", "S!AB8", "S!AC8", "S!AC9"]


def test_a_title_above_a_table_is_no_header_and_empty_rows_divide_tables() -> None:
    document = read(
        of_rows(
            ["Costs of 2024"],
            [],
            ["kind", "sum"],
            ["rent", 12],
            [],
            ["tea", 3],  # goes on below the empty row
            [],
            ["town", "people"],
            ["Ulm", 129],
        )
    )
    assert blocks(document)[1:] == [
        ("paragraph", "Costs of 2024"),
        ("table", "kind | sum\nrent | 12"),
        ("table", "tea | 3"),
        ("table", "town | people\nUlm | 129"),
    ]


def test_chunks_of_each_table_know_its_own_header(tokenizer: Tokenizer) -> None:
    first = [["name", "age"], *([f"the cat {number}", number] for number in range(30))]
    second = [["bird", "sum"], *([f"the bird {number}", number] for number in range(30))]
    chunks = split_document(read(of_rows(*first, [], *second)), tokenizer, 60, 0)
    leads = [{lead.text for lead in chunk.outline.leads} for chunk in chunks if "name" not in chunk.text]
    assert {"name | age"} in leads
    assert {"bird | sum"} in leads
    for chunk in chunks:
        texts = {lead.text for lead in chunk.outline.leads}
        assert not ("name | age" in texts and "the cat" not in chunk.text)


def test_merged_cells_are_one_place_and_are_said_again_in_the_rows_they_span() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet("S")
        sheet.write_row(0, 0, ["region", "town", "sum"])
        sheet.merge_range(1, 0, 2, 0, "South")
        sheet.write_row(1, 1, ["Ulm", 1])
        sheet.write_row(2, 1, ["Isny", 2])
        sheet.merge_range(3, 0, 3, 1, "all")
        sheet.write(3, 2, 3)

    document = read(workbook(fill))
    assert document.text == "S\n\nregion | town | sum\nSouth | Ulm | 1\nSouth | Isny | 2\nall | | 3"
    assert [where for text, where in places(document) if text in ("South", "all")] == [
        "S!A2:A3",
        "S!A2:A3",
        "S!A4:B4",
    ]


def test_a_hidden_sheet_is_read_and_named() -> None:
    def fill(book: Any) -> None:
        book.add_worksheet("Open").write(0, 0, "shown")
        hidden = book.add_worksheet("Drafts")
        hidden.write(0, 0, "secret")
        hidden.hide()

    document = read(workbook(fill))
    assert document.text == "Open\n\nshown\n\nDrafts\n\nsecret"
    assert document.remark == "the sheet Drafts is hidden"


def test_a_sheet_of_openoffice_is_read_alike() -> None:
    book = OpenDocumentSpreadsheet()
    sheet = Table(name="Blatt")
    sheet.addElement(TableRow(numberrowsrepeated=2))
    for values in (("Ort", "Summe"), ("Ulm", 12.5), ("Isny", 2024.0)):
        row = TableRow()
        row.addElement(CoveredTableCell())
        for value in values:
            kind = {"valuetype": "string"} if isinstance(value, str) else {"valuetype": "float", "value": value}
            cell = TableCell(**kind)
            cell.addElement(P(text=str(value)))
            row.addElement(cell)
        sheet.addElement(row)
    book.spreadsheet.addElement(sheet)
    data = io.BytesIO()
    book.save(data)
    document = read(data.getvalue(), "a.ods")
    assert document.text == "Blatt\n\nOrt | Summe\nUlm | 12.5\nIsny | 2024"
    assert places(document)[-1] == ("2024", "Blatt!C5")


def test_of_very_many_cells_each_row_has_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "MAX_PLACED_CELLS", 5)
    document = read(of_rows(["a", "b"], [1, 2], [3, 4]))
    assert places(document) == [("a | b", "Budget!A1:B1"), ("1 | 2", "Budget!A2:B2"), ("3 | 4", "Budget!A3:B3")]


def test_what_lies_beyond_the_limit_of_cells_is_remarked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "MAX_CELLS", 4)
    document = read(of_rows(["a", "b"], [1, 2], [3, 4]))
    assert document.text == "Budget\n\na | b\n1 | 2"
    assert document.remark == "more than 4 cells are filled, and those that follow were not read"


@pytest.mark.parametrize(
    "data", [b"PK\x03\x04 and no more", of_rows(["a"])[:400], b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 90]
)
def test_a_broken_workbook_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableDocument, match=r"^a\.xlsx is (not a readable workbook|not a zip archive)"):
        read(data)


def test_what_only_calls_itself_a_workbook_is_read_as_what_it_is() -> None:
    web = read(b"\xef\xbb\xbf<html><table><tr><td>Ort</td><td>Summe</td></tr></table></html>", "a.xls")
    assert (web.text, web.blocks[0].kind) == ("Ort | Summe", "table")
    archive = (
        b"\xef\xbb\xbfX-Document-Type: Workbook\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/related;\r\n\tboundary="-=b"\r\n\r\nNo browser?\r\n'
        b"---=b\r\nContent-Location: file:///C:/a.htm\r\nContent-Transfer-Encoding: quoted-printable\r\n"
        b'Content-Type: text/html; charset="utf-8"\r\n\r\n'
        b"<table><tr><td>Ort</td><td>Summe</td></tr><tr><td class=3Dx>M=C3=BCnchen</td><td>12</td></tr></table>\r\n"
        b"---=b\r\nContent-Location: file:///C:/a/s.css\r\nContent-Type: text/html\r\n\r\ntd {color: red}\r\n"
        b"---=b\r\nContent-Type: text/xml\r\n\r\n<xml>filelist</xml>\r\n"
        b"---=b\r\nContent-Location: a/tabstrip.htm\r\nContent-Type: text/html\r\n\r\n<p>Sheet1</p>\r\n---=b--\r\n"
    )
    saved = read(archive, "a.xls")
    assert (saved.text, saved.converted) == ("Ort | Summe\nMünchen | 12", True)
    table = read(b"Ort\tSumme\nUlm\t12\n", "a.xls")
    assert (table.text, table.blocks[0].kind, table.converted) == ("Ort\tSumme\nUlm\t12\n", "table", False)


@pytest.mark.parametrize(
    ("code", "number", "written"),
    [
        ("0%", 0.125, "12%"),
        ("0.0%", -0.125, "-12.5%"),
        ("#,##0.00 €", 1250.5, "1250.50 €"),
        ('#,##0.00\\ "EUR"', 1250.5, "1250.50 EUR"),
        ("[$€-407] #,##0.00", 3, "€ 3.00"),
        ('_-* #,##0.00 "€"_-;-* #,##0.00 "€"_-', -3, "-3.00 €"),
        ("$#,##0;[Red]-$#,##0", -3, "-$3"),
        ("00000", 1097, "01097"),
        ("0.##", 1.5, "1.5"),
        ("0.##", 2, "2"),
        ('0.0" kg"', 2.25, "2.2 kg"),
        ("0.00", -0.001, "0.00"),
        ('"50%" 0', 3, "50% 3"),
    ],
)
def test_a_number_is_written_as_its_format_says(code: str, number: float, written: str) -> None:
    form = number_format(code)
    assert form is not None
    assert form.written(number) == written


@pytest.mark.parametrize(
    "code", ["", "General", "@", "dd.mm.yyyy", "hh:mm", "0.00E+00", "# ?/?", "000-0000", "0,", '"text"']
)
def test_other_formats_are_left_to_the_library(code: str) -> None:
    assert number_format(code) is None


def test_errors_and_formats_of_a_sheet_are_seen() -> None:
    def fill(book: Any) -> None:
        book.add_worksheet("First").write(0, 0, "x")
        sheet = book.add_worksheet("Second")
        sheet.write_row(1, 1, ["part", "share", "sum", "sign"])
        sheet.write(2, 1, "tea")
        sheet.write(2, 2, 0.125, book.add_format({"num_format": "0.0%"}))
        sheet.write(2, 3, 1250.5, book.add_format({"num_format": '#,##0.00 "€"'}))
        sheet.write_formula(2, 4, '=IF(1<2,"<v>#REF!</v>",0)', None, "#N/A")
        sheet.write(3, 2, "text", book.add_format({"num_format": "0.0%"}))
        sheet.write_boolean(3, 3, True, book.add_format({"num_format": "0.00"}))

    document = read(workbook(fill))
    assert document.text.endswith("Second\n\npart | share | sum | sign\ntea | 12.5% | 1250.50 € | #N/A\n| text | TRUE")
    assert ("#N/A", "Second!E3") in places(document)


def test_a_few_cells_that_stand_far_apart_are_refused_before_room_is_made_for_those_between() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet("S")
        sheet.write(0, 0, "here")
        sheet.write(1_000_000, 16_000, "there")

    with pytest.raises(
        UnreadableDocument, match=r"^a\.xlsx has a sheet of 2 cells that stand 1,000,001 rows and 16,001 columns"
    ):
        read(workbook(fill))


COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 64
BOF_5, BOF_8 = b"\x09\x08\x08\0\0\x05" + bytes(6), b"\x09\x08\x10\0\0\x06" + bytes(14)
WRITE_PROTECT, FILE_PASS = b"\x86\0\0\0", b"\x2f\0\x06\0" + bytes(6)


@pytest.mark.parametrize("beginning", [BOF_5, BOF_8, BOF_8 + WRITE_PROTECT])
def test_an_old_workbook_with_a_password_is_refused_for_that(beginning: bytes) -> None:
    with pytest.raises(UnreadableDocument, match=r"^a\.xls is protected by a password: save it without one"):
        read(COMPOUND_FILE + beginning + FILE_PASS, "a.xls")
    with pytest.raises(UnreadableDocument, match=r"^a\.xls is not a readable workbook"):
        read(COMPOUND_FILE + beginning, "a.xls")


@pytest.mark.parametrize("name", ["a.xlsx", "a.ods"])
def test_a_workbook_with_a_password_is_refused_for_that(name: str) -> None:
    data = COMPOUND_FILE + "EncryptedPackage".encode("utf-16-le")
    if name == "a.ods":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(
                "META-INF/manifest.xml", "<manifest><file-entry><encryption-data/></file-entry></manifest>"
            )
        data = packed.getvalue()
    with pytest.raises(UnreadableDocument, match=rf"^{name} is protected by a password: save it without one"):
        read(data, name)


def opened(*rows: list[TableCell], **repeated: int) -> bytes:
    """The bytes of an ODS of one sheet; `repeated` is for the last row."""
    book = OpenDocumentSpreadsheet()
    sheet = Table(name="Blatt")
    for number, cells in enumerate(rows, start=1):
        row = TableRow(**(repeated if number == len(rows) else {}))
        for cell in cells:
            row.addElement(cell)
        sheet.addElement(row)
    book.spreadsheet.addElement(sheet)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def cell(text: str, **attributes: Any) -> TableCell:
    made = TableCell(**attributes)
    made.addElement(P(text=text))
    return made


def test_percentages_amounts_and_errors_of_opendocument_are_as_its_cells_show_them() -> None:
    name = cell("share", valuetype="string")
    percentage = cell("12,5 %", valuetype="percentage", value=0.125)
    amount = cell("1.250,50 €", valuetype="currency", value=1250.5, currency="EUR")
    error = cell("#DIV/0!", valuetype="float", value=0, formula="of:=1/0")
    date = cell("01.05.24", valuetype="date", datevalue="2024-05-01")
    gap = TableCell(numbercolumnsrepeated=2)
    document = read(opened([], [name, gap, percentage, amount, error, date]), "a.ods")
    assert document.text == "Blatt\n\nshare | | | 12,5 % | 1.250,50 € | #DIV/0! | 2024-05-01"
    assert ("12,5 %", "Blatt!D2") in places(document)


def test_cells_that_are_repeated_beyond_all_measure_are_refused() -> None:
    data = opened([cell("1", valuetype="float", value=1, numbercolumnsrepeated=1000)], numberrowsrepeated=1_000_000)
    with pytest.raises(
        UnreadableDocument, match=r"^a\.ods has a sheet in which cells with a value are repeated until they"
    ):
        read(data, "a.ods")


def test_empty_rows_and_columns_without_number_cost_nothing_and_divide_tables() -> None:
    far = [TableCell(numbercolumnsrepeated=16_000), cell("there", valuetype="string")]
    document = read(
        opened(
            [cell("here", valuetype="string"), TableCell(numbercolumnsrepeated=16_383)],
            [CoveredTableCell(numbercolumnsrepeated=16_384)],
            far,
            [TableCell(numbercolumnsrepeated=16_384)],
            numberrowsrepeated=1_048_573,
        ),
        "a.ods",
    )
    assert places(document) == [("here", "Blatt!A1"), ("there", "Blatt!WQK3")]


def test_values_of_opendocument_are_shown_by_their_types_and_long_times_as_the_cell_shows_them() -> None:
    cells = [
        cell("9.05.07 Uhr", valuetype="time", timevalue="PT09H05M07S"),
        cell("50:30", valuetype="time", timevalue="PT50H30M00S"),
        cell("1. Mai", valuetype="date", datevalue="2024-05-01T13:30:00"),
        cell("29.02.1900", valuetype="date", datevalue="1900-02-29"),
        cell("WAHR", valuetype="boolean", booleanvalue="true"),
        TableCell(valuetype="string", stringvalue="not written"),
        TableCell(valuetype="percentage", value=0.125),
        cell("Err:502", valuetype="string", stringvalue="", formula="of:=1"),
    ]
    assert read(opened(cells), "a.ods").text == (
        "Blatt\n\n09:05:07 | 50:30 | 2024-05-01 13:30 | 29.02.1900 | TRUE | not written | 12.5% | Err:502"
    )


def test_merged_and_repeated_cells_of_opendocument_are_in_each_of_their_rows() -> None:
    rows = [
        [cell("Region", valuetype="string"), cell("Sum", valuetype="string"), cell("Note", valuetype="string")],
        [
            cell("North", valuetype="string", numberrowsspanned=2),
            cell("7", valuetype="float", value=7, numbercolumnsrepeated=2),
        ],
        [CoveredTableCell(), cell("8", valuetype="float", value=8)],
    ]
    document = read(opened(*rows, numberrowsrepeated=2), "a.ods")
    assert document.text == "Blatt\n\nRegion | Sum | Note\nNorth | 7 | 7\nNorth | 8\n| 8"
    assert [where for text, where in places(document) if text in ("North", "8")] == [
        "Blatt!A2:A3", "Blatt!A2:A3", "Blatt!B3", "Blatt!B4",
    ]  # fmt: skip


OPENED_XML = """<?xml version="1.0"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
    xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0"
    xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
    xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">
  <office:automatic-styles>
    <style:style style:name="h" style:family="table"><style:table-properties table:display="false"/></style:style>
  </office:automatic-styles>
  <office:body>
    <office:spreadsheet>
      <table:table table:name="Blatt">
        <table:table-header-rows>
          <table:table-row>
            <table:table-cell office:value-type="string">
              <text:p>Ort</text:p>
            </table:table-cell>
            <table:table-cell office:value-type="string">
              <office:annotation><text:p>a comment</text:p></office:annotation>
              <text:p>in<text:s/><text:span>Euro</text:span></text:p>
              <text:p>netto</text:p>
            </table:table-cell>
          </table:table-row>
        </table:table-header-rows>
        <table:table-row-group>
          <table:table-row>
            <table:table-cell office:value-type="string"><text:p>Ulm</text:p></table:table-cell>
            <table:table-cell office:value-type="float" office:value="12.50"><text:p>12,50</text:p></table:table-cell>
          </table:table-row>
        </table:table-row-group>
      </table:table>
      <table:table table:name="Alt" table:style-name="h">
        <table:table-row><table:table-cell><text:p>verborgen</text:p></table:table-cell></table:table-row>
      </table:table>
    </office:spreadsheet>
  </office:body>
</office:document>
"""


@pytest.mark.parametrize("name", ["a.ods", "a.fods", "a.ots"])
def test_opendocument_with_indented_xml_and_without_a_media_type_is_read(name: str) -> None:
    data = OPENED_XML.encode() if name == "a.fods" else zipped({"content.xml": OPENED_XML})
    document = read(data, name)
    assert document.text == "Blatt\n\nOrt | in Euro netto\nUlm | 12.5\n\nAlt\n\nverborgen"
    assert (document.remark, places(document)[1]) == ("the sheet Alt is hidden", ("in Euro netto", "Blatt!B1"))


def test_an_open_document_of_another_kind_is_refused_with_a_sentence() -> None:
    text = OPENED_XML.replace("office:spreadsheet>", "office:text>")
    with pytest.raises(UnreadableDocument, match=r"^a\.ods is an OpenDocument file without the spreadsheet"):
        read(zipped({"content.xml": text}), "a.ods")


def test_sheets_of_old_macros_and_of_modules_do_not_keep_a_workbook_from_being_read() -> None:
    data = of_rows(["Kind", "share"], ["Rent", 0.5])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    sheets, relations = str(entries["xl/workbook.xml"], "utf-8"), str(entries["xl/_rels/workbook.xml.rels"], "utf-8")
    before = '<sheet name="Macro1" sheetId="8" r:id="rId80"/><sheet name="Module1" sheetId="9" r:id=""/>'
    entries["xl/workbook.xml"] = sheets.replace("<sheets>", f"<sheets>{before}")
    entries["xl/_rels/workbook.xml.rels"] = relations.replace(
        "</Relationships>",
        '<Relationship Id="rId80" Type="http://schemas.microsoft.com/office/2006/relationships/xlMacrosheet" '
        'Target="macrosheets/sheet1.xml"/></Relationships>',
    )
    entries["xl/macrosheets/sheet1.xml"] = (
        "<xm:macrosheet xmlns:xm='http://schemas.microsoft.com/office/excel/2006/main'/>"
    )
    document = read(zipped(entries), "a.xlsm")
    assert (document.text, document.remark) == ("Budget\n\nKind | share\nRent | 0.5", "")
    assert places(document)[-1] == ("0.5", "Budget!B2")
