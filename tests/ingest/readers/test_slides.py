"""Presentations: slides in the order in which they are shown, each a page. python-pptx is a writer and a judge."""
# ruff: noqa: E501 - the markup of a case is easier to compare in one line

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pptx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from office_files import CORE, SPACES, check_blocks, read_bytes, relationships, shown, zipped
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from ingest.places import PageMark
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from ingest.document import Document

BODY = "<p:nvPr><p:ph type='body' idx='1'/></p:nvPr>"
TITLE = "<p:nvPr><p:ph type='title'/></p:nvPr>"


def p(text: str, properties: str = "<a:pPr/>") -> str:
    return f"<a:p>{properties}<a:r><a:t>{text}</a:t></a:r></a:p>"


def shape(paragraphs: str, stands_for: str = "<p:nvPr/>", hidden: str = "0") -> str:
    return (
        f"<p:sp><p:nvSpPr><p:cNvPr id='1' name='x' hidden='{hidden}'/><p:cNvSpPr/>{stands_for}</p:nvSpPr>"
        f"<p:txBody><a:bodyPr/>{paragraphs}</p:txBody></p:sp>"
    )


def slide(shapes: str, attributes: str = "") -> str:
    return f"<p:sld {SPACES} {attributes}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"


def presentation(
    *slides: str,
    attributes: str = "",
    master: str = "",
    parts: dict[str, str] | None = None,
    related: tuple[tuple[str, str], ...] = (),
) -> bytes:
    listed = "".join(f"<p:sldId r:id='r{number}'/>" for number in range(len(slides), 0, -1))
    entries: dict[str, str | bytes] = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": relationships(("officeDocument", "ppt/p.xml"), ("metadata/core-properties", "core.xml")),
        "core.xml": CORE.format("<d:title>PowerPoint Presentation</d:title>"),
        "ppt/p.xml": f"<p:presentation {SPACES} {attributes}><p:sldIdLst>{listed}</p:sldIdLst></p:presentation>",
        # the last file is shown first
        "ppt/_rels/p.xml.rels": relationships(*(("slide", f"s/{number}.xml") for number in range(len(slides)))),
        "ppt/layout.xml": f"<p:sldLayout {SPACES}><p:cSld><p:spTree>{shape('', BODY)}</p:spTree></p:cSld></p:sldLayout>",
        "ppt/_rels/layout.xml.rels": relationships(("slideMaster", "master.xml")),
        "ppt/master.xml": f"<p:sldMaster {SPACES}><p:txStyles><p:bodyStyle>{master}</p:bodyStyle></p:txStyles></p:sldMaster>",
        **(parts or {}),
    }
    for number, content in enumerate(reversed(slides)):
        entries[f"ppt/s/{number}.xml"] = content
        entries[f"ppt/s/_rels/{number}.xml.rels"] = relationships(("slideLayout", "../layout.xml"), *related)
    return zipped(entries)


def read(*slides: str, **more: Any) -> Document:
    document = read_bytes(presentation(*slides, **more), "talk.pptx")
    check_blocks(document)
    return document


def test_slides_come_in_the_order_of_the_presentation_and_are_pages() -> None:
    document = read(
        slide(shape(p("text")) + shape(p("One"), TITLE)),
        slide(shape(p("no title"))),
        slide(""),
        slide(shape(p("Four"), TITLE)),
    )
    assert document.text == "One\n\ntext\n\nno title\n\nFour"
    assert document.page_marks == (PageMark(0, 1), PageMark(11, 2), PageMark(21, 4))
    assert [block.heading for block in document.blocks] == ["One", "One", "", "Four"]
    assert document.title == "One"


def test_pages_are_called_by_the_numbers_that_the_slides_show() -> None:
    document = read(slide(shape(p("a"))), slide(shape(p("b"))), attributes="firstSlideNum='0'")
    assert document.page_marks == (PageMark(0, 1, "0"), PageMark(3, 2, "1"))


def test_hidden_slides_are_read_and_named_and_hidden_shapes_are_not_read() -> None:
    document = read(slide(shape(p("a"))), slide(shape(p("b")) + shape(p("no"), hidden="1"), "show='0'"))
    assert (document.text, document.remark) == ("a\n\nb", "hidden slides are read too: 2")


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("<a:r><a:t>one</a:t></a:r><a:br/><a:r><a:t>two</a:t></a:r>", "one\ntwo"),
        ("<a:r><a:t>10</a:t></a:r><a:r><a:rPr baseline='30000'/><a:t>6</a:t></a:r>", "10^6"),
        ("<a:r><a:t>H</a:t></a:r><a:r><a:rPr baseline='-25000'/><a:t>2</a:t></a:r><a:r><a:t>O</a:t></a:r>", "H2O"),
        ("<a:r><a:t>a </a:t></a:r><a:r><a:rPr strike='sngStrike'/><a:t>old</a:t></a:r><a:r><a:t> b</a:t></a:r>", "a b"),
        ("<a:r><a:rPr><a:sym typeface='Wingdings'/></a:rPr><a:t>a \uf0e0 b</a:t></a:r>", "a → b"),
        ("<a:fld type='datetime1'><a:t>today</a:t></a:fld>", "today"),
        (
            "<mc:AlternateContent><mc:Choice Requires='x9'><a:r><a:t>no</a:t></a:r></mc:Choice><mc:Fallback><a:r><a:t>old</a:t></a:r></mc:Fallback></mc:AlternateContent>",
            "old",
        ),
        (
            "<m:oMath><m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup></m:oMath>",
            "x^2",
        ),
    ],
)
def test_the_text_of_a_shape_is_what_it_shows(inner: str, expected: str) -> None:
    assert read(slide(shape(f"<a:p>{inner}</a:p>"))).text == expected


def test_dates_footers_and_numbers_of_slides_are_left_out() -> None:
    frame = "".join(
        shape(p(kind), f"<p:nvPr><p:ph type='{kind}'/></p:nvPr>") for kind in ("dt", "ftr", "sldNum", "hdr")
    )
    assert read(slide(frame + shape(p("text")))).text == "text"


def test_groups_and_alternatives_are_read_in_their_place_and_once() -> None:
    group = f"<p:grpSp>{shape(p('b'))}<p:grpSp>{shape(p('c'))}</p:grpSp></p:grpSp>"
    either = f"<mc:AlternateContent><mc:Choice Requires='wps'>{shape(p('d'))}</mc:Choice><mc:Fallback>{shape(p('d'))}</mc:Fallback></mc:AlternateContent>"
    assert read(slide(shape(p("a")) + group + either + shape(p("e")))).text == "a\n\nb\n\nc\n\nd\n\ne"


def test_bullets_are_those_of_the_paragraph_or_of_the_master() -> None:
    master = "<a:lvl1pPr><a:buChar char='•'/></a:lvl1pPr><a:lvl2pPr><a:buAutoNum type='alphaLcParenR'/></a:lvl2pPr>"
    body = (
        p("one")
        + p("two", "<a:pPr lvl='1'/>")
        + p("three", "<a:pPr lvl='1'/>")
        + p("four", "<a:pPr><a:buNone/></a:pPr>")
    )
    document = read(slide(shape(body, BODY) + shape(p("free"))), master=master)
    assert shown(document) == [
        ("list", "- one"), ("list", "a) two"), ("list", "b) three"), ("paragraph", "four"), ("paragraph", "free"),
    ]  # fmt: skip
    assert document.text == "- one\n  a) two\n  b) three\n\nfour\n\nfree"


@pytest.mark.parametrize(
    ("bullets", "expected"),
    [
        (("arabicPeriod",) * 2, ["1.", "2."]),
        (("arabicParenBoth' startAt='5",) * 2, ["(5)", "(6)"]),
        (("romanUcPeriod", "romanUcPeriod", "alphaUcPeriod"), ["I.", "II.", "A."]),
        (("unheardOf",), ["1."]),
        (("arabicPlain", "", "arabicPlain"), ["1", "", "1"]),
    ],
)
def test_numbers_are_counted_as_they_are_shown(bullets: tuple[str, ...], expected: list[str]) -> None:
    paragraphs = "".join(
        p("x", f"<a:pPr><a:buAutoNum type='{scheme}'/></a:pPr>" if scheme else "<a:pPr/>") for scheme in bullets
    )
    assert [text.removesuffix("x").strip() for _, text in shown(read(slide(shape(paragraphs))))] == expected


def test_tables_have_a_line_for_each_row_and_merged_cells_in_their_places() -> None:
    def cell(text: str, attributes: str = "") -> str:
        return f"<a:tc {attributes}><a:txBody>{p(text)}</a:txBody></a:tc>"

    rows = (
        cell("Year", "rowSpan='2'") + cell("Sales", "gridSpan='2'") + cell("", "hMerge='1'") + cell("Sum"),
        cell("", "vMerge='1'") + cell("North") + cell("South") + cell("9"),
    )
    table = "<a:tbl>" + "".join(f"<a:tr>{row}</a:tr>" for row in rows) + "</a:tbl>"
    frame = f"<p:graphicFrame><a:graphic><a:graphicData>{table}</a:graphicData></a:graphic></p:graphicFrame>"
    assert shown(read(slide(frame))) == [("table", "Year | Sales | | Sum\nYear | North | South | 9")]


def test_a_diagram_is_read_as_the_tree_that_it_is_and_once_even_in_a_circle() -> None:
    points = (
        "".join(f"<dgm:pt modelId='{name}'><dgm:t>{p(name)}</dgm:t></dgm:pt>" for name in "abcde")
        + "<dgm:pt modelId='doc' type='doc'/>"
    )
    links = "".join(
        f"<dgm:cxn srcId='{source}' destId='{target}' srcOrd='{order}'/>"
        for source, target, order in (("doc", "b", 1), ("doc", "a", 0), ("a", "c", 0), ("d", "e", 0), ("e", "d", 0))
    )
    model = f"<dgm:dataModel {SPACES}><dgm:ptLst>{points}</dgm:ptLst><dgm:cxnLst>{links}</dgm:cxnLst></dgm:dataModel>"
    frame = (
        "<p:graphicFrame><a:graphic><a:graphicData><dgm:relIds r:dm='r2'/></a:graphicData></a:graphic></p:graphicFrame>"
    )
    document = read(slide(frame), parts={"ppt/data.xml": model}, related=(("diagramData", "../data.xml"),))
    assert document.text == "- a\n  - c\n- b\n- d\n- e"


def test_what_is_no_presentation_is_refused_with_a_sentence() -> None:
    with pytest.raises(
        UnreadableDocument, match=r"^talk.pptx begins with an element 'w:document' and not 'p:presentation'"
    ):
        read_bytes(
            zipped(
                {
                    "[Content_Types].xml": "",
                    "_rels/.rels": relationships(("officeDocument", "d.xml")),
                    "d.xml": f"<w:document {SPACES}/>",
                }
            ),
            "talk.pptx",
        )


# python-pptx as a writer and as a judge


def saved(made: Any) -> Document:
    kept = io.BytesIO()
    made.save(kept)
    return read_bytes(kept.getvalue(), "talk.pptx")


def test_notes_charts_and_line_breaks_of_python_pptx_are_read() -> None:
    made = pptx.Presentation()
    first = made.slides.add_slide(made.slide_layouts[1])
    first.shapes.title.text = "Sales\vof 2024"
    first.placeholders[1].text = "one\vline\ntwo"
    first.notes_slide.notes_text_frame.text = "Say hello."
    data = CategoryChartData()
    data.categories = ["North", "South"]
    data.add_series("2023", (1.5, 2))
    data.add_series("2024", (3, 4))
    second = made.slides.add_slide(made.slide_layouts[6])
    second.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, Inches(4), Inches(3), data)
    document = saved(made)
    check_blocks(document)
    assert document.text == (
        "Sales of 2024\n\n- one\nline\n- two\n\nNotes\n\nSay hello.\n\n| 2023 | 2024\nNorth | 1.5 | 3\nSouth | 2 | 4"
    )
    assert [block.heading for block in document.blocks][-2:] == ["Sales of 2024 > Notes", ""]
    assert [mark.page for mark in document.page_marks] == [1, 2]


WORDS = st.text(st.sampled_from("ab cé猫\u00ad\v-"), max_size=10)


@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.tuples(WORDS, WORDS, st.lists(st.lists(WORDS, min_size=2, max_size=2), min_size=1, max_size=2)),
        min_size=1,
        max_size=3,
    )
)
def test_what_python_pptx_writes_is_read_as_it_reads_it(slides: list[tuple[str, str, list[list[str]]]]) -> None:
    made = pptx.Presentation()
    expected = ""
    for title, body, rows in slides:
        page = made.slides.add_slide(made.slide_layouts[1])
        page.shapes.title.text = title
        page.placeholders[1].text = body
        table = page.shapes.add_table(len(rows), 2, 0, 0, Inches(2), Inches(1)).table
        for number, row in enumerate(rows):
            for column, text in enumerate(row):
                table.cell(number, column).text = text
        for text in (title, body, *(text for row in rows for text in row)):
            expected += text
    document = saved(made)
    check_blocks(document)

    def letters(text: str) -> str:
        return "".join(character for character in text if character not in "\u00ad-|" and not character.isspace())

    assert letters(document.text) == letters(expected)
