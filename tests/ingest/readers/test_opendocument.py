"""OpenDocument texts: every word once, with the numbers of lists and headings. odfpy is a writer and a judge."""
# ruff: noqa: E501 - the markup of a case is easier to compare in one line

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odf import teletype
from odf.opendocument import OpenDocumentText
from odf.opendocument import load as load_odf
from odf.table import Table, TableCell, TableRow
from odf.text import H, List, ListItem, P
from office_files import check_blocks, read_bytes, shown, zipped

from ingest.places import PageMark
from sql.base.errors import UnreadableDocument

if TYPE_CHECKING:
    from ingest.document import Document

OASIS = "urn:oasis:names:tc:opendocument:xmlns"
SPACES = " ".join(f"xmlns:{name}='{OASIS}:{name}:1.0'" for name in ("office", "text", "table", "style", "meta")) + (
    f" xmlns:draw='{OASIS}:drawing:1.0' xmlns:svg='{OASIS}:svg-compatible:1.0' xmlns:dc='http://purl.org/dc/elements/1.1/'"
    " xmlns:loext='urn:org:documentfoundation:names:experimental:office:xmlns:loext:1.0'"
)


def p(text: str, style: str = "") -> str:
    return f"<text:p text:style-name='{style}'>{text}</text:p>"


def flat(body: str, styles: str = "", meta: str = "") -> bytes:
    return (
        f"<office:document {SPACES}><office:meta>{meta}</office:meta><office:styles>{styles}</office:styles>"
        f"<office:body><office:text>{body}</office:text></office:body></office:document>"
    ).encode()


def read(body: str, styles: str = "", meta: str = "") -> Document:
    document = read_bytes(flat(body, styles, meta), "a.fodt")
    check_blocks(document)
    return document


def style(name: str, text: str, family: str = "text") -> str:
    return f"<style:style style:name='{name}' style:family='{family}'><style:text-properties {text}/></style:style>"


LOOKS = (
    style("Up", "style:text-position='super 58%'") + style("Down", "style:text-position='sub 58%'") + style("Gone", "text:display='none'")
    + style("Old", "style:text-line-through-style='solid'") + style("Flat", "style:text-position='0% 100%'")
)  # fmt: skip


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("a<text:span>b</text:span>c", "abc"),
        ("a<text:s text:c='3'/>b<text:tab/>c", "a b c"),
        ("a\n   b", "a b"),
        ("a<text:line-break/>b", "a\nb"),
        ("a <text:a>link</text:a> b", "a link b"),
        (
            "10<text:span text:style-name='Up'>6</text:span> H<text:span text:style-name='Down'>2</text:span>O",
            "10^6 H2O",
        ),
        ("10<text:span text:style-name='Up'>1</text:span><text:span text:style-name='Up'>2</text:span>", "10^12"),
        ("10<text:span text:style-name='Flat'>6</text:span>", "106"),
        ("a <text:span text:style-name='Gone'>no <text:span>no</text:span></text:span>b", "a b"),
        ("a <text:span text:style-name='Old'>no</text:span>b", "a b"),
        ("a<text:bookmark-start text:name='x'/>b<text:change-start text:change-id='1'/>c", "abc"),
        ("<text:date>today</text:date>, page <text:page-number>3</text:page-number>", "today, page 3"),
        ("<text:ruby><text:ruby-base>漢</text:ruby-base><text:ruby-text>kan</text:ruby-text></text:ruby>", "漢(kan)"),
        ("<text:hidden-text text:is-hidden='true'>no</text:hidden-text>in\u00adter", "inter"),
        ("<text:unheard>of</text:unheard>", "of"),
    ],
)
def test_the_text_of_a_paragraph_is_what_is_shown(inner: str, expected: str) -> None:
    assert read(p(inner), LOOKS).text == expected


def test_tracked_deletions_are_not_text_and_insertions_are() -> None:
    changes = f"<text:tracked-changes><text:changed-region><text:deletion>{p('gone')}</text:deletion></text:changed-region></text:tracked-changes>"
    assert read(changes + p("kept <text:change text:change-id='1'/>new")).text == "kept new"


def test_headings_have_the_levels_and_numbers_of_the_outline() -> None:
    outline = (
        "<text:outline-style><text:outline-level-style text:level='1' style:num-format='I' style:num-suffix='.'/>"
        "<text:outline-level-style text:level='2' style:num-format='1' text:display-levels='2'/></text:outline-style>"
    )

    def h(text: str, level: int, more: str = "") -> str:
        return f"<text:h text:outline-level='{level}' {more}>{text}</text:h>"

    body = (
        p("Whole", "Title")
        + h("A", 1)
        + h("B", 2)
        + h("C", 2)
        + h("none", 2, "text:is-list-header='true'")
        + h("D", 1)
        + h("deep", 3)
    )
    document = read(body, outline)
    assert [block.heading.split(" > ")[-1] for block in document.blocks] == [
        "Whole",
        "I. A",
        "I.1 B",
        "I.2 C",
        "none",
        "II. D",
        "deep",
    ]
    assert document.blocks[2].heading == "Whole > I. A > I.1 B"
    assert document.title == "Whole"


NUMBERS = (
    "<text:list-style style:name='L'><text:list-level-style-number text:level='1' style:num-format='1' style:num-suffix='.'/>"
    "<text:list-level-style-number text:level='2' style:num-format='a' style:num-suffix=')' text:display-levels='1'/>"
    "<text:list-level-style-number text:level='3' style:num-format='1' style:num-suffix='.' text:display-levels='3'/></text:list-style>"
    "<text:list-style style:name='B'><text:list-level-style-bullet text:level='1'/></text:list-style>"
    "<text:list-style style:name='S'><text:list-level-style-number text:level='1' style:num-format='A' style:num-prefix='(' style:num-suffix=')' text:start-value='3'/></text:list-style>"
    "<text:list-style style:name='X'><text:list-level-style-number text:level='1' style:num-format='1' loext:num-list-format='No. %1%:'/></text:list-style>"
)


def items(*content: str, more: str = "text:style-name='L'") -> str:
    return f"<text:list {more}>{''.join(f'<text:list-item>{one}</text:list-item>' for one in content)}</text:list>"


def test_lists_have_their_numbers() -> None:
    inner = items(p("c") + items(p("d"), more=""), p("e"), more="")
    body = items(p("a"), p("b") + p("more") + inner, p("f"))
    assert read(body, NUMBERS).text == "1. a\n2. b\nmore\n  a) c\n    2.a.1. d\n  b) e\n3. f"
    assert read(items(p("a"), p("b"), more="text:style-name='B'"), NUMBERS).text == "- a\n- b"
    assert read(items(p("a"), p("b"), more="text:style-name='S'"), NUMBERS).text == "(C) a\n(D) b"
    assert read(items(p("a"), more="text:style-name='X'"), NUMBERS).text == "No. 1: a"
    assert read(items(p("a"), more="text:style-name='none'"), NUMBERS).text == "a"


def test_a_list_goes_on_from_the_one_it_names_and_from_no_other() -> None:
    named = (
        items(p("a"), more="text:style-name='L' xml:id='one'")
        + p("-")
        + items(p("b"), more="text:style-name='L' text:continue-list='one'")
    )
    assert read(named, NUMBERS).text == "1. a\n\n-\n\n2. b"
    numbering = (
        items(p("a"))
        + p("-")
        + items(p("b"), more="text:style-name='L' text:continue-numbering='true'")
        + p("-")
        + items(p("c"))
    )
    assert read(numbering, NUMBERS).text == "1. a\n\n-\n\n2. b\n\n-\n\n1. c"
    own = (
        "<text:list text:style-name='L'><text:list-item text:start-value='7'>"
        + p("a")
        + "</text:list-item></text:list>"
    )
    assert read(own, NUMBERS).text == "7. a"


def test_a_list_that_only_makes_room_is_not_counted_and_a_header_has_no_number() -> None:
    assert read(items(items(p("a"), p("b"), more="")), NUMBERS).text == "  a) a\n  b) b"
    body = f"<text:list text:style-name='L'><text:list-header>{p('head')}</text:list-header><text:list-item>{p('a')}</text:list-item></text:list>"
    assert read(body, NUMBERS).text == "head\n1. a"


def cell(text: str, more: str = "") -> str:
    return f"<table:table-cell {more}>{text}</table:table-cell>"


def table(*rows: str) -> str:
    return "<table:table>" + "".join(f"<table:table-row>{row}</table:table-row>" for row in rows) + "</table:table>"


def test_tables_have_a_line_for_each_row_and_merged_cells_in_their_places() -> None:
    covered = "<table:covered-table-cell/>"
    down, across = "table:number-rows-spanned='2'", "table:number-columns-spanned='2'"
    header = f"<table:table-header-rows><table:table-row>{cell(p('Year'), down)}{cell(p('Sales'), across)}{covered}{cell(p('Sum'))}</table:table-row></table:table-header-rows>"
    rows = f"<table:table-row>{covered}{cell(p('North') + p('East'))}{cell(p('South'))}{cell(items(p('x')))}</table:table-row>"
    document = read(f"<table:table>{header}{rows}</table:table>", NUMBERS)
    assert shown(document) == [("table", "Year | Sales | | Sum\nYear | North East | South | 1. x")]
    assert read(table(cell(p("a"), "table:number-columns-repeated='3'"), cell(p("b")))).text == "a | a | a\nb"


def test_a_claim_of_very_many_columns_does_not_grow() -> None:
    many = table(*(cell(p("x"), "table:number-columns-repeated='999999999'") + cell(p("y")) for _ in range(500)))
    assert len(read(many).text) < 1_000_000


def test_a_table_with_one_in_it_is_read_as_what_is_in_it() -> None:
    assert shown(read(table(cell(p("left")) + cell(table(cell(p("a")) + cell(p("b"))))))) == [
        ("paragraph", "left"),
        ("table", "a | b"),
    ]


def note(label: str, text: str) -> str:
    return f"<text:note><text:note-citation>{label}</text:note-citation><text:note-body>{p(text)}</text:note-body></text:note>"


def test_notes_follow_what_refers_to_them_and_comments_stand_at_the_end() -> None:
    comment = f"<office:annotation><dc:creator>Ann</dc:creator><dc:date>2024</dc:date>{p('Why?')}</office:annotation>"
    up = "<text:span text:style-name='Up'>{}</text:span>"
    body = (
        p(f"One.{up.format(note('1', 'First.'))} More{comment}.")
        + items(p("item." + note("2", "Second.")), p("b"))
        + p("End.")
    )
    assert read(body, LOOKS + NUMBERS).text == (
        "One.[1] More.\n\n[1] First.\n\n1. item.[2]\n2. b\n\n[2] Second.\n\nEnd.\n\nComments\n\nAnn: Why?"
    )


def test_text_boxes_are_read_behind_the_paragraph_and_pictures_are_not_described() -> None:
    frame = f"<draw:frame><draw:text-box>{p('boxed')}</draw:text-box><svg:title>no</svg:title><svg:desc>no</svg:desc></draw:frame>"
    assert read(p(f"before {frame}after") + p("next")).text == "before after\n\nboxed\n\nnext"


def test_pages_are_known_where_the_breaks_are_as_many_as_the_pages() -> None:
    body = p("one") + "<text:soft-page-break/>" + p("two <text:soft-page-break/>three")
    meta = "<meta:document-statistic meta:page-count='{}'/>"
    assert read(body, meta=meta.format(3)).page_marks == (PageMark(0, 1), PageMark(5, 2), PageMark(9, 3))
    assert read(body, meta=meta.format(4)).page_marks == ()


def test_what_a_document_says_of_itself_is_title_and_metadata() -> None:
    meta = "<dc:title>Report</dc:title><meta:initial-creator>Ann</meta:initial-creator><dc:creator>Bob</dc:creator><meta:creation-date>2024-01-02</meta:creation-date><dc:language>de</dc:language>"
    document = read(p("x"), meta=meta)
    assert (document.title, dict(document.metadata)) == (
        "Report",
        {"author": "Ann", "created": "2024-01-02", "language": "de"},
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (zipped({"a": ""}), "has no content.xml"),
        (zipped({"content.xml": f"<office:document-content {SPACES}><office:body><office:spreadsheet/></office:body></office:document-content>"}),
         "an OpenDocument file without the text document"),
        (zipped({"META-INF/manifest.xml": "<m:manifest xmlns:m='x'><m:file-entry><m:encryption-data/></m:file-entry></m:manifest>", "content.xml": ""}),
         "is encrypted: save it without a password"),
    ],
)  # fmt: skip
def test_what_is_no_open_text_is_refused_with_a_sentence(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableDocument, match=rf"^a.odt.*{reason}"):
        read_bytes(data, "a.odt")


def test_lists_in_lists_are_read_to_the_depth_that_is_read_at_all() -> None:
    opened, closed = "<text:list><text:list-item>", "</text:list-item></text:list>"
    assert read(opened * 100 + p("deep") + closed * 100).text.strip() == "deep"
    assert read(table(cell(opened * 100 + p("deep") + closed * 100) + cell(p("b")))).text == "deep | b"
    spans = "<text:span>" * 200 + "deep" + "</text:span>" * 200
    assert read(p(spans)).text == "deep"


# odfpy as a writer and as a judge

WORDS = st.text(st.sampled_from("ab cé猫\t\n"), max_size=10)


@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["h", "p", "list", "table"]), st.lists(WORDS, min_size=2, max_size=3)), max_size=6
    )
)
def test_what_odfpy_writes_is_read_as_it_reads_it(content: list[tuple[str, list[str]]]) -> None:
    made = OpenDocumentText()
    for kind, texts in content:
        outer = made.text
        if kind == "list":
            outer = List()
            made.text.addElement(outer)
        elif kind == "table":
            rows = Table()
            made.text.addElement(rows)
            outer = TableRow()
            rows.addElement(outer)
        for text in texts:
            element = H(outlinelevel=1) if kind == "h" else P()
            teletype.addTextToElement(element, text)
            if kind in ("list", "table"):
                inner = ListItem() if kind == "list" else TableCell()
                inner.addElement(element)
                element = inner
            outer.addElement(element)
    kept = io.BytesIO()
    made.save(kept)
    document = read_bytes(kept.getvalue(), "a.odt")
    check_blocks(document)
    again = load_odf(io.BytesIO(kept.getvalue()))
    expected = "".join(teletype.extractText(again.text).split())
    assert "".join(document.text.split()).replace("|", "") == expected
