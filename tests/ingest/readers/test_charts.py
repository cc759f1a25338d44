"""Charts of presentations and Word files: their figures as tables, as the sheet shows them that they come from."""
# ruff: noqa: E501 - the markup of a case is easier to compare in one line

from __future__ import annotations

import io
from datetime import date
from typing import TYPE_CHECKING

import pptx
import pytest
from office_files import SPACES, read_bytes, relationships, word_file
from pptx.chart.data import CategoryChartData, XyChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from ingest.readers.number_formats import serial_shown

if TYPE_CHECKING:
    from pptx.chart.data import ChartData


def text_of(kind: XL_CHART_TYPE, data: ChartData) -> str:
    """What is read of a presentation with one chart."""
    made, kept = pptx.Presentation(), io.BytesIO()
    slide = made.slides.add_slide(made.slide_layouts[6])
    slide.shapes.add_chart(kind, 0, 0, Inches(4), Inches(3), data)
    made.save(kept)
    return read_bytes(kept.getvalue(), "talk.pptx").text


def text_of_series(*series: str, more: str = "") -> str:
    """What is read of a Word file with one chart that has these elements `c:ser`."""
    chart = f"<c:chartSpace {SPACES}>{more}<c:chart><c:plotArea>{''.join(series)}</c:plotArea></c:chart></c:chartSpace>"
    parts = {"word/_rels/main.xml.rels": relationships(("chart", "chart.xml")), "word/chart.xml": chart}
    body = "<w:p><w:r><w:drawing><c:chart r:id='r1'/></w:drawing></w:r></w:p>"
    return read_bytes(word_file(body, more=parts), "a.docx").text


def points(*values: str, code: str = "") -> str:
    """The cached values of numbers with a format, or else of texts."""
    kept = "".join(f"<c:pt idx='{place}'><c:v>{value}</c:v></c:pt>" for place, value in enumerate(values))
    if code:
        return f"<c:numRef><c:numCache><c:formatCode>{code}</c:formatCode>{kept}</c:numCache></c:numRef>"
    return f"<c:strRef><c:strCache>{kept}</c:strCache></c:strRef>"


def test_dates_and_shares_of_a_chart_are_no_bare_numbers() -> None:
    data = CategoryChartData(number_format="0.0%")
    data.categories = [date(2024, 1, 1), date(2024, 2, 1)]
    data.add_series("Share", (0.25, 0.125))
    assert text_of(XL_CHART_TYPE.LINE, data) == "| Share\n2024-01-01 | 25.0%\n2024-02-01 | 12.5%"


def test_each_row_says_the_categories_of_all_levels() -> None:
    data = CategoryChartData()
    for region in ("North", "South"):
        added = data.add_category(region)
        for quarter in ("Q1", "Q2"):
            added.add_sub_category(quarter)
    data.add_series("Sales", (1, 2, 3, 4))
    assert text_of(XL_CHART_TYPE.COLUMN_CLUSTERED, data) == (
        "| | Sales\nNorth | Q1 | 1\nNorth | Q2 | 2\nSouth | Q1 | 3\nSouth | Q2 | 4"
    )


def test_points_of_a_scatter_chart_stand_beside_their_own_places() -> None:
    data = XyChartData()
    for name, places in (("kiln", ((1, 10), (2, 20))), ("oven", ((7, 70), (8, 80), (9, 90)))):
        series = data.add_series(name)
        for x, y in places:
            series.add_data_point(x, y)
    assert text_of(XL_CHART_TYPE.XY_SCATTER, data) == "| kiln\n1 | 10\n2 | 20\n\n| oven\n7 | 70\n8 | 80\n9 | 90"


def test_series_of_the_same_categories_share_a_table_even_where_one_has_fewer() -> None:
    first = f"<c:ser><c:tx>{points('2023')}</c:tx><c:cat>{points('a', 'b')}</c:cat><c:val>{points('1', '2', code='0')}</c:val></c:ser>"
    second = f"<c:ser><c:tx>{points('2024', 'plan')}</c:tx><c:cat>{points('a')}</c:cat><c:val>{points('3', code='0')}</c:val></c:ser>"
    third = f"<c:ser><c:val>{points('4', '5', '6', code='0')}</c:val></c:ser>"
    assert text_of_series(first, second, third) == "| 2023 | 2024 plan |\na | 1 | 3 | 4\nb | 2 | | 5\n| | | 6"


def test_days_are_counted_from_where_the_chart_says_and_a_point_may_have_a_format_of_its_own() -> None:
    own = "<c:numRef><c:numCache><c:pt idx='0' formatCode='0%'><c:v>0.5</c:v></c:pt><c:pt idx='1'><c:v>0.30000000000000004</c:v></c:pt></c:numCache></c:numRef>"
    series = f"<c:ser><c:cat>{points('1', '366', code='d/m/yy')}</c:cat><c:val>{own}</c:val></c:ser>"
    assert text_of_series(series, more="<c:date1904 val='1'/>") == "1904-01-02 | 50%\n1905-01-01 | 0.3"


CHARTEX = "http://schemas.microsoft.com/office/drawing/2014/chartex"


def level(*texts: str, code: str = "") -> str:
    kept = "".join(f"<cx:pt idx='{place}'>{text}</cx:pt>" for place, text in enumerate(texts))
    return f"<cx:lvl ptCount='{len(texts)}' formatCode='{code}'>{kept}</cx:lvl>" if code else f"<cx:lvl>{kept}</cx:lvl>"


def test_charts_of_the_kinds_of_2016_are_read_by_their_data_and_not_by_their_fallback() -> None:
    chart = (
        f"<cx:chartSpace xmlns:cx='{CHARTEX}' {SPACES}><cx:chartData>"
        f"<cx:data id='0'><cx:strDim type='cat'><cx:f>A1</cx:f>{level('leaf', 'bud')}{level('twig', 'twig')}</cx:strDim>"
        f"<cx:numDim type='val'><cx:f>B1</cx:f>{level('0.5', '0.25', code='0%')}</cx:numDim></cx:data></cx:chartData>"
        "<cx:chart><cx:title><cx:tx><cx:rich><a:p><a:r><a:t>Tree</a:t></a:r></a:p></cx:rich></cx:tx></cx:title>"
        "<cx:plotArea><cx:plotAreaRegion><cx:series layoutId='treemap'><cx:tx><cx:txData><cx:f>B0</cx:f><cx:v>share</cx:v>"
        "</cx:txData></cx:tx><cx:dataId val='0'/></cx:series><cx:series layoutId='paretoLine' ownerIdx='0'/>"
        "</cx:plotAreaRegion></cx:plotArea></cx:chart></cx:chartSpace>"
    )
    parts = {"word/_rels/main.xml.rels": relationships(("chartEx", "chart.xml")), "word/chart.xml": chart}
    body = (
        f"<w:p><w:r><mc:AlternateContent><mc:Choice xmlns:cx1='{CHARTEX}' Requires='cx1'><w:drawing>"
        f"<cx:chart xmlns:cx='{CHARTEX}' r:id='r1'/></w:drawing></mc:Choice><mc:Fallback><w:t>not available</w:t>"
        "</mc:Fallback></mc:AlternateContent></w:r></w:p>"
    )
    document = read_bytes(word_file(body, more=parts), "a.docx")
    assert document.text == "Tree\n\n| | share\ntwig | leaf | 50%\ntwig | bud | 25%"


@pytest.mark.parametrize(
    ("number", "code", "expected"),
    [
        (45_292, "dd.mm.yyyy", "2024-01-01"),
        (45_292.5, "m/d/yy h:mm", "2024-01-01 12:00"),
        (0.75, "h:mm AM/PM", "18:00"),
        (1.5, "[h]:mm", "36:00"),
        (1, "yyyy-mm-dd", "1900-01-01"),
        (61, "[$-407]d. mmm yyyy", "1900-03-01"),
        (2_958_465, "d", "9999-12-31"),
        (2_958_466, "d", "2958466"),
        (-1, "d", "-1"),
        (7, '0 "days"', "7 days"),
        (7, "[Red]0.0", "7.0"),
        (2024, "General", "2024"),
    ],
)
def test_a_number_with_the_format_of_a_date_is_one(number: float, code: str, expected: str) -> None:
    assert serial_shown(number, code) == expected


def test_no_day_lies_behind_the_last_one_of_a_sheet_of_old_macs() -> None:
    assert serial_shown(2_957_003, "d", since_1904=True) == "9999-12-31"
    assert serial_shown(2_957_004, "d", since_1904=True) == "2957004"
