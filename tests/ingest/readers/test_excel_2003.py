"""Workbooks in the XML of Excel 2003, which reports are still written in: by any suffix, typed values, merged cells."""

from __future__ import annotations

import pytest
from office_files import read_bytes, shown

from ingest.readers.table import reader_of
from sql.base.errors import UnreadableDocument

STYLES = """
<Style ss:ID="Default" ss:Name="Normal"/>
<Style ss:ID="day"><NumberFormat ss:Format="Short Date"/></Style>
<Style ss:ID="bold" ss:Parent="day"><Font ss:Bold="1"/></Style>
<Style ss:ID="time"><NumberFormat ss:Format="h:mm:ss"/></Style>
<Style ss:ID="long"><NumberFormat ss:Format="[h]:mm"/></Style>
<Style ss:ID="share"><NumberFormat ss:Format="Percent"/></Style>
<Style ss:ID="money"><NumberFormat ss:Format="#,##0.00\\ &quot;CHF&quot;"/></Style>
"""


def sheet(rows: str, name: str = "Costs", options: str = "") -> str:
    return (
        f'<Worksheet ss:Name="{name}"><Table ss:ExpandedColumnCount="4">{rows}</Table>'
        f'<WorksheetOptions xmlns="urn:schemas-microsoft-com:office:excel"><Zoom>90</Zoom>{options}</WorksheetOptions>'
        "</Worksheet>"
    )


def workbook(*sheets: str) -> str:
    return (
        '<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>\n'
        '<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" '
        'xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">'
        '<DocumentProperties xmlns="urn:schemas-microsoft-com:office:office"><Author>Ann</Author></DocumentProperties>'
        f"<Styles>{STYLES}</Styles>{''.join(sheets)}</Workbook>"
    )


def cell(value: str, kind: str = "String", attributes: str = "") -> str:
    return f'<Cell {attributes}><Data ss:Type="{kind}">{value}</Data></Cell>'


def row(*cells: str, attributes: str = "") -> str:
    return f"<Row {attributes}>{''.join(cells)}</Row>"


HEADER = row(cell("Item"), cell("Price"), cell("Day", attributes='ss:Index="4"'))
KILN = row(
    cell("Kiln"),
    cell("12.50", "Number"),
    cell("2024-05-01T00:00:00.000", "DateTime", 'ss:Index="4" ss:StyleID="day"'),
)
TEXT = "Costs\n\nItem | Price | | Day\nKiln | 12.5 | | 2024-05-01"


@pytest.mark.parametrize("name", ["report.xls", "report.xml"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_sheets_are_tables_and_values_know_their_cells(name: str, encoding: str) -> None:
    document = read_bytes(workbook(sheet(HEADER + KILN)).encode(encoding), name)
    assert shown(document) == [("heading", "Costs"), ("table", TEXT.partition("\n\n")[2])]
    places = [(document.text[place.start : place.end], str(place.where)) for place in document.places]
    assert places[-3:] == [("Kiln", "Costs!A2"), ("12.5", "Costs!B2"), ("2024-05-01", "Costs!D2")]
    reader = reader_of(name)
    assert reader is not None
    assert document.format == reader.format


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (cell("0.125", "Number", 'ss:StyleID="share"'), "12.50%"),
        (cell("1250.5", "Number", 'ss:StyleID="money"'), "1250.50 CHF"),
        (cell("0.30000000000000004", "Number"), "0.3"),
        (cell("45292", "Number", 'ss:StyleID="day"'), "2024-01-01"),
        (cell("2024-05-01T13:30:00.000", "DateTime", 'ss:StyleID="bold"'), "2024-05-01 13:30"),
        (cell("1899-12-31T09:05:07.000", "DateTime", 'ss:StyleID="time"'), "09:05:07"),
        (cell("1900-01-01T12:00:00.000", "DateTime", 'ss:StyleID="long"'), "36:00"),
        (cell("2024-05-01T00:00:00Z", "DateTime"), "2024-05-01"),
        (cell("1750-07-28T00:00:00.000", "DateTime"), "1750-07-28T00:00:00.000"),
        (cell("1", "Boolean"), "TRUE"),
        (cell("#N/A", "Error"), "#N/A"),
        (cell("about 5", "Number"), "about 5"),
        (cell("two&#10;lines <B xmlns='http://www.w3.org/TR/REC-html40'>of one</B>"), "two lines of one"),
        ("<Cell><Comment><Data>said</Data></Comment><Data ss:Type='String'>shown</Data></Cell>", "shown"),
    ],
)
def test_a_value_is_shown_as_its_type_and_format_say(written: str, expected: str) -> None:
    assert read_bytes(workbook(sheet(row(written))).encode(), "a.xls").text == f"Costs\n\n{expected}"


def test_merged_cells_are_said_in_each_row_and_move_the_cells_behind_them() -> None:
    rows = (
        row(cell("Region"), cell("Sales", attributes='ss:MergeAcross="1"'), cell("Note"))
        + row(cell("North", attributes='ss:MergeDown="1"'), cell("Q1"), cell("7", "Number"))
        + row(cell("Q2", attributes='ss:Index="2"'), cell("8", "Number"))
    )
    document = read_bytes(workbook(sheet(rows)).encode(), "a.xls")
    assert document.text == "Costs\n\nRegion | Sales | | Note\nNorth | Q1 | 7\nNorth | Q2 | 8"
    assert "Costs!B1:C1" in [str(place.where) for place in document.places]


def test_rows_that_are_left_out_are_counted_and_divide_tables() -> None:
    empty = row(attributes='ss:Index="3" ss:Span="2"')
    document = read_bytes(workbook(sheet(row(cell("a")) + empty + row(cell("b")))).encode(), "a.xls")
    assert [str(place.where) for place in document.places] == ["Costs!A1", "Costs!A6"]
    assert [kind for kind, _ in shown(document)] == ["heading", "paragraph", "paragraph"]


def test_a_hidden_sheet_is_read_and_named() -> None:
    hidden = sheet(row(cell("secret")), "Notes", "<Visible>SheetHidden</Visible>")
    document = read_bytes(workbook(sheet(row(cell("seen"))), hidden).encode(), "a.xls")
    assert (document.text, document.remark) == ("Costs\n\nseen\n\nNotes\n\nsecret", "the sheet Notes is hidden")


def test_claims_of_very_many_rows_and_columns_end_where_a_sheet_does() -> None:
    rows = row(cell("a", attributes='ss:MergeDown="9999999" ss:MergeAcross="9999999"')) + row(
        cell("b", attributes='ss:Index="9999999"'), attributes='ss:Index="9999999"'
    )
    document = read_bytes(workbook(sheet(rows)).encode(), "a.xls")
    assert [str(place.where) for place in document.places] == ["Costs!A1:XFD1048576"]


def test_a_workbook_that_is_cut_short_is_refused_with_a_sentence() -> None:
    with pytest.raises(UnreadableDocument, match=r"^a\.xls: it is not well-formed XML"):
        read_bytes(workbook(sheet(HEADER)).encode()[:-40], "a.xls")
